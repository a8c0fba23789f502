"""docs/tune.md holds: its commands are understood, its space can be searched, and its workflow fits together."""

import fnmatch
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.pruners import MedianPruner, NopPruner
from ruamel.yaml import YAML

from petpark import cli
from petpark.build.tune import space, studies
from petpark.build.tune.plan import SAMPLERS, Shard, study_of
from petpark.build.tune.trial import pruner
from petpark.config.params import load_params
from petpark.config.settings import parse
from petpark.config.train import TrainSettings
from petpark.config.tune import TuneSettings

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tune.md").read_text()


def blocks() -> list[Any]:
    """The YAML of the document."""
    return [YAML(typ="safe").load(text) for text in re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)]


SETTINGS, WORKFLOW = blocks()


def runs(job: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a job as (program, words); those of make stand for the command that make calls."""
    for step in WORKFLOW["jobs"][job]["steps"]:
        words = shlex.split(re.sub(r"\$\{\{ matrix\.shard \}\}", "2", step.get("run", "")))
        if words:
            yield Path(words[0]).name, words[1:]


def parts() -> dict[str, Any]:
    """What the command line reads of the command that each machine of the matrix runs."""
    ((program, (task, arguments)),) = runs("search")
    assert (program, task) == ("make", "tune")
    assert "\t$(BIN)/petpark tune $(TUNE_ARGS)\n" in (ROOT / "Makefile").read_text()
    return vars(cli.parser().parse_args(["tune", *shlex.split(arguments.removeprefix("TUNE_ARGS="))]))


def uploads(job: str) -> list[str]:
    steps = WORKFLOW["jobs"][job]["steps"]
    return [line for step in steps if "upload" in step.get("uses", "") for line in step["with"]["path"].split()]


@pytest.mark.tree
def test_the_space_of_the_document_can_be_searched() -> None:
    settings = parse(TuneSettings, SETTINGS["tune"], "docs/tune.md")
    assert space.read(settings, TrainSettings()).distributions.keys() == SETTINGS["tune"]["search"].keys()


@pytest.mark.tree
def test_every_sampler_has_its_row_and_the_default_is_named() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE))
    assert tuple(rows) == SAMPLERS
    default = vars(cli.parser().parse_args(["tune"]))["sampler"]
    assert [name for name, words in rows.items() if "the default" in words] == [default]


@pytest.mark.tree
def test_the_matrix_covers_every_shard_and_uploads_its_study() -> None:
    shards = WORKFLOW["jobs"]["search"]["strategy"]["matrix"]["shard"]
    number, count = parts()["shard"]
    assert (number, shards) == (2, list(range(1, count + 1)))
    (pattern,) = uploads("search")
    assert all(fnmatch.fnmatch(str(study_of(Shard(each, count))), pattern) for each in shards)
    assert parts()["timeout"] < WORKFLOW["jobs"]["search"]["timeout-minutes"]


@pytest.mark.tree
def test_the_last_job_merges_what_the_others_uploaded_and_keeps_the_winner() -> None:
    assert WORKFLOW["jobs"]["merge"]["needs"] == "search"
    (words,) = (words for program, words in runs("merge") if program == "petpark")
    args = vars(cli.parser().parse_args(words))
    assert (args["action"], args["write"]) == ("merge", True)
    (pattern,) = args["studies"]
    assert fnmatch.fnmatch(f"parts/tune-2/{study_of(Shard(2, 4)).name}", pattern), "an artifact is a folder of its name"
    assert uploads("merge") == [str(studies.STUDY), str(studies.PAGE), "params.yaml"]


@pytest.mark.tree
def test_nobody_but_git_keeps_studies_out_of_a_commit() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{studies.STUDY.parent}/*{studies.STUDY.suffix}" in ignored
    assert f"/{studies.PAGE.parent}/*{studies.PAGE.suffix}" in ignored


@pytest.mark.tree
def test_what_the_document_says_of_stopping_early_is_so() -> None:
    found = pruner(12, comparable=True)
    assert isinstance(found, MedianPruner)
    assert "first five" in " ".join(TEXT.split())
    assert vars(found)["_n_startup_trials"] == 5
    assert vars(found)["_n_warmup_steps"] == 4, "a third"
    assert isinstance(pruner(12, comparable=False), NopPruner)
    assert "median" in (inspect.getdoc(pruner) or "")


@pytest.mark.tree
def test_the_space_of_the_repository_can_be_searched_and_holds_what_is_set() -> None:
    params = load_params(ROOT / "params.yaml")
    found = space.read(params.tune, params.train)
    assert found.holds({name: getattr(params.train, name) for name in found.distributions}), "else nothing to beat"
    assert 10 < len(found.cells(0)) < 200
