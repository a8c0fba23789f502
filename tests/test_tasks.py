"""What `make run` does when, and how .venv comes about: the real Makefile, with programs that only say their names."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"
TOOLS = ("awk", "env", "grep", "make", "sh", "touch")
PETPARK = """case "$*" in
  "lock fresh") exit ${STALE:-0} ;;
  "gate build") echo "the verdict"; exit ${REFUSED:-0} ;;
esac"""


def program(path: Path, body: str = "") -> None:
    """Write a shell script that says its name and its words, and then does what the body says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "> {path.name} $*"\n{body}\n')
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder, with a space in its path, that has the Makefile and an environment with the group `data`."""
    root = tmp_path / "a clone"
    program(root / ".venv/bin/petpark", PETPARK)
    program(root / ".venv/bin/dvc", "exit ${BROKEN:-0}")
    program(root / ".venv/bin/uv")
    shutil.copy(MAKEFILE, root)
    for name in ("pyproject.toml", "requirements.lock"):
        (root / name).touch()
        os.utime(root / name, (1, 1))
    for stamp in (".made", ".data"):
        (root / ".venv" / stamp).touch()
    return root


def make(root: Path, *words: str, **variables: str) -> tuple[int, str]:
    """Run make where the PATH has the barest tools, and no Python and no uv; return its status and what it printed."""
    tools = root.parent / "tools"
    tools.mkdir(exist_ok=True)
    for name in TOOLS:
        if not (tools / name).exists():
            (tools / name).symlink_to(shutil.which(name) or name)
    environment: Mapping[str, str] = {"PATH": str(tools), **variables}
    command = [str(tools / "make"), "--no-print-directory", *words]
    done = subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def said(output: str) -> list[str]:
    """Return what the programs said that they were called with."""
    return [line[2:] for line in output.splitlines() if line.startswith("> ")]


def test_where_nothing_changed_run_installs_nothing_more(checkout: Path) -> None:
    status, output = make(checkout, "run", "SERVE=0")
    assert status == 0, output
    assert said(output) == ["petpark lock fresh", "dvc repro --pull --allow-missing", "petpark gate build"]


@pytest.mark.parametrize("task", ["run", "serve"])
def test_run_ends_by_serving_and_serve_serves_alone(checkout: Path, task: str) -> None:
    (checkout / ".venv/.serve").touch()
    status, output = make(checkout, task)
    assert status == 0, output
    assert said(output)[-2:] == ["dvc pull package", "petpark serve"]
    assert said(output)[:-2] == (said(make(checkout, "run", "SERVE=0")[1]) if task == "run" else [])


@pytest.mark.parametrize("task", ["serve", "wheel", "container"])
def test_the_packaged_file_is_fetched_where_it_is_missing_or_older_than_the_lock(checkout: Path, task: str) -> None:
    for group in ("serve", "dev"):
        (checkout / f".venv/.{group}").touch()
    pull, model, lock = "dvc pull package", checkout / "models/model.onnx", "dvc.lock"
    assert said(make(checkout, task)[1])[0] == pull
    assert not model.exists(), "what could not be fetched is not made up"
    model.parent.mkdir()
    for path, time in {model: 10, checkout / lock: 20}.items():
        path.touch()
        os.utime(path, (time, time))
    assert said(make(checkout, task, BROKEN="1")[1]) == [pull]
    assert said(make(checkout, task)[1])[0] == pull
    assert pull not in said(make(checkout, task)[1])


@pytest.mark.parametrize("task", ["wheel", "container"])
def test_a_bundle_gets_the_version_that_is_named(checkout: Path, task: str) -> None:
    for group in ("serve", "dev"):
        (checkout / f".venv/.{group}").touch()
    assert said(make(checkout, task)[1])[-1] == f"petpark {task} build"
    assert said(make(checkout, task, "VERSION=1.2.0")[1])[-1] == f"petpark {task} build --version 1.2.0"


def test_nothing_is_served_where_the_gate_says_no(checkout: Path) -> None:
    (checkout / ".venv/.serve").touch()
    status, output = make(checkout, "run", REFUSED="1")
    assert status != 0
    assert "petpark serve" not in said(output)


@pytest.mark.parametrize("options", [(), ("-j8",)])
def test_where_a_stage_must_run_torch_is_installed_first_and_once(checkout: Path, options: tuple[str, ...]) -> None:
    for expected in (4, 3):
        status, output = make(checkout, *options, "run", "SERVE=0", STALE="1")
        assert status == 0, output
        assert len(said(output)) == expected
        assert said(output)[-2:] == ["dvc repro --pull --allow-missing", "petpark gate build"]
    assert (checkout / ".venv/.train").exists()


def test_a_search_brings_the_photos_first_and_gives_the_command_its_words(checkout: Path) -> None:
    (checkout / ".venv/.train").touch()
    status, output = make(checkout, "tune", "TUNE_ARGS=--trials 3 --workers 2")
    assert status == 0, output
    assert said(output) == ["dvc repro --pull split", "petpark tune --trials 3 --workers 2"]
    status, output = make(checkout, "tune", BROKEN="1")
    assert status != 0
    assert "petpark" not in "".join(said(output)), "no search without photos"


def test_a_gate_that_says_no_is_printed_and_fails_the_run(checkout: Path) -> None:
    status, output = make(checkout, "run", REFUSED="1")
    assert status != 0
    assert "the verdict" in output


def test_no_verdict_is_given_on_a_pipeline_that_failed(checkout: Path) -> None:
    status, output = make(checkout, "run", BROKEN="1")
    assert status != 0
    assert "the verdict" not in output


def test_each_group_comes_in_the_versions_of_the_lock_and_untouched_by_other_settings(checkout: Path) -> None:
    status, output = make(checkout, "setup", "-j8")
    assert status == 0, output
    calls = said(output)
    assert [call.rpartition("--group ")[2] for call in calls] == ["serve", "train", "test", "dev"]
    for call in calls:
        assert "--no-config" in call
        assert "--constraints requirements.lock --build-constraints requirements.lock" in call
    assert said(make(checkout, "setup")[1]) == []


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    later = (checkout / ".venv/.data").stat().st_mtime + 1
    os.utime(checkout / "requirements.lock", (later, later))
    assert [call.rpartition("--group ")[2] for call in said(make(checkout, "docs")[1])][:1] == ["data"]


def test_without_uv_the_environment_brings_its_own(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    program(
        checkout.parent / "tools/python3", '[ "$2" = venv ] && mkdir -p .venv/bin && cp "$0" .venv/bin/python; true'
    )
    (checkout.parent / "tools/mkdir").symlink_to(shutil.which("mkdir") or "mkdir")
    (checkout.parent / "tools/cp").symlink_to(shutil.which("cp") or "cp")
    status, output = make(checkout, ".venv/.made")
    assert status == 0, output
    assert said(output)[-2:] == [
        "python3 -m venv .venv",
        "python3 -m pip install --quiet --constraint requirements.lock uv",
    ]


@pytest.mark.parametrize("chosen", [(), ("PYTHON=python3.12",)])
def test_a_uv_on_the_path_is_used(checkout: Path, chosen: tuple[str, ...]) -> None:
    shutil.rmtree(checkout / ".venv")
    (checkout / ".venv").mkdir()
    program(checkout.parent / "tools/uv", "echo --group")
    status, output = make(checkout, ".venv/.made", *chosen)
    assert status == 0, output
    wanted = chosen[0].removeprefix("PYTHON=") if chosen else ">=3.11,<3.14"
    assert said(output) == [f"uv venv --no-config --quiet --allow-existing --python {wanted} .venv"]


def test_a_machine_without_a_python_that_suits_is_told(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    program(checkout.parent / "tools/python3", "exit 1")
    status, output = make(checkout, ".venv/.made")
    assert status != 0
    assert "petpark needs Python 3.11, 3.12 or 3.13" in output
    assert not (checkout / ".venv/.made").exists()
