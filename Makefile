# The one vocabulary of tasks, for a person, a hook and CI alike; `make help` lists it.
# A machine needs git, make and Python 3.11 to 3.13; the rest comes into .venv, in the versions of requirements.lock.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# All tasks share one environment.
.NOTPARALLEL:

BIN := .venv/bin
SERVE := 1
GROUPS := data serve train test dev
PYTHONS := >=3.11,<3.14
TREE := tests/test_documents.py tests/test_import_graph.py tests/test_repository.py tests/test_requirements.py
# The stages of dvc.yaml call `petpark` by its name.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Each stage is a process of its own: where Python may not keep what it compiles, torch alone costs it seconds.
export PYTHONDONTWRITEBYTECODE :=

# A uv on the PATH serves if it knows dependency groups; otherwise .venv brings its own.
UV = $(shell uv pip install --help 2>/dev/null | grep -q -e '--group' && echo uv || echo $(BIN)/uv)
# --no-config: `exclude-dependencies` keeps the GPU's wheels out of the lock, not off the machine: torch may need them.
INSTALL = $(UV) pip install --no-config --python $(BIN)/python \
  --constraints requirements.lock --build-constraints requirements.lock --editable .

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s  %s\n", $$1, $$2 }' Makefile

run: .venv/.data ## Bring data, model and evidence up to date, give the verdict, and serve (SERVE=0: do not)
	@$(BIN)/petpark lock fresh || $(MAKE) --silent .venv/.train
	$(BIN)/dvc repro --pull --allow-missing
	@$(BIN)/petpark gate build
	@[ "$(SERVE)" = 0 ] || $(MAKE) --silent serve

serve: .venv/.serve models/model.onnx ## Serve the model and its page on this computer
	@$(BIN)/petpark serve

wheel: .venv/.data .venv/.dev models/model.onnx ## Build the wheel with the model inside into dist/ (VERSION=1.2.0)
	@$(BIN)/petpark wheel build $(VERSION:%=--version %)

container: .venv/.data .venv/.serve .venv/.dev models/model.onnx ## Build the container of the service (VERSION=1.2.0)
	@$(BIN)/petpark container build $(VERSION:%=--version %)

report: .venv/.data .venv/.train ## Make the HTML reports again, where nothing ran
	$(BIN)/petpark report

sample: .venv/.data ## Draw the sample of photos anew (the same bytes)
	$(BIN)/petpark sample

tune: .venv/.data .venv/.train ## Search for better settings of the training (TUNE_ARGS="--trials 40")
	$(BIN)/dvc repro --pull split
	$(BIN)/petpark tune $(TUNE_ARGS)

setup: $(GROUPS:%=.venv/.%) ## Install everything that a developer needs

hooks: .venv/.dev ## Run the quick part of `make lint` before each commit
	$(BIN)/pre-commit install

lint: setup ## Check style, types, and that documents, lock and code agree
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/yamllint --strict .
	$(BIN)/mypy
	$(BIN)/pytest --quiet -m tree $(TREE)

format: .venv/.dev ## Put the code into its form
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

test: .venv/.data .venv/.serve .venv/.train .venv/.test .venv/.bench ## Run the tests (PYTEST_ARGS="-k split" for some)
	$(BIN)/pytest -m "not slow" $(PYTEST_ARGS)

test-slow: .venv/.data .venv/.serve .venv/.train .venv/.test .venv/.bench ## Run the tests that take minutes
	$(BIN)/pytest -m slow $(PYTEST_ARGS)

bench: .venv/.data .venv/.serve .venv/.train .venv/.bench ## Measure the README's table (ROW=ingest for one row)
	$(BIN)/python -m benchmarks $(ROW)

docs: .venv/.data ## Make the documents that come from the code
	$(BIN)/python -m petpark.config.document docs

lock: .venv/.made ## Bring requirements.lock, and the container's, up to pyproject.toml (LOCK_ARGS=--upgrade for the newest versions)
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	  $(GROUPS:%=--group %) --group bench $(LOCK_ARGS) --output-file requirements.lock pyproject.toml
	$(UV) pip compile --quiet --no-config --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header \
	  --no-annotate --generate-hashes --constraints requirements.lock --group serve --output-file bento/requirements.lock \
	  pyproject.toml

clean: ## Remove the environment, the caches and unfinished trainings
	rm -rf .venv .petpark dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help run serve wheel container report sample tune setup hooks lint format test test-slow bench docs lock clean

# The packaged file, its golden rows and its index, as dvc.lock has them; no photo comes along.
models/model.onnx: $(wildcard dvc.lock) | .venv/.data
	$(BIN)/dvc pull package
	@touch -c $@

$(GROUPS:%=.venv/.%) .venv/.bench: .venv/.%: pyproject.toml requirements.lock | .venv/.made
	$(INSTALL) --group $*
	@touch $@

# PYTHON=python3.12 chooses; otherwise the first one that suits, and uv fetches one where there is none.
.venv/.made:
	@python=; for each in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
	  "$$each" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && python=$$each && break; \
	done; \
	if [ "$(UV)" = uv ]; then \
	  uv venv --no-config --quiet --allow-existing --python "$${python:-$(or $(PYTHON),$(PYTHONS))}" .venv; \
	elif [ "$$python" ]; then \
	  "$$python" -m venv .venv && $(BIN)/python -m pip install --quiet --constraint requirements.lock uv; \
	else \
	  echo "petpark needs Python 3.11, 3.12 or 3.13, and finds none on the PATH."; exit 1; \
	fi
	@touch $@
