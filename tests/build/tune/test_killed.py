"""After `kill -9`, a search goes on as if nothing had happened: one process, several, and in the middle of a save."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from petpark import layout
from petpark.build.tune import studies
from tests.build import lakes
from tests.build.tune import killed
from tests.build.tune.conftest import SEARCH, SEED, TRAIN

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
PARAMS = {
    "seed": SEED,
    "ingest": {"short_side": 40},
    **{name: {} for name in ("split", "validate", "package", "evaluate")},
    "train": {**TRAIN.model_dump(), "epochs": 6},
    "tune": {"search": SEARCH},
}


def environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}


def searched(folder: Path, study: str, *saves: int) -> None:
    """Search until it is killed at each of these saves in turn, and then to the end."""
    for save in (*saves, 0):
        command = [sys.executable, "-m", "tests.build.tune.killed", study, str(save)]
        done = subprocess.run(command, cwd=folder, env=environment(), check=False, capture_output=True, text=True)
        assert done.returncode == (-signal.SIGKILL if save else 0), done.stderr


@pytest.fixture(scope="module")
def folder(little: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a search was killed twice, and one never."""
    folder = lakes.copy(little, tmp_path_factory.mktemp("killed"))
    searched(folder, "undisturbed.db")
    searched(folder, "killed.db", 2, 11)  # in the first trial, and in a later one
    return folder


def results(path: Path) -> list[tuple[Any, ...]]:
    with studies.opened(path) as study:
        return [
            (each.state, each.value, each.intermediate_values, each.user_attrs[studies.SETTINGS])
            for each in studies.trials(study)
        ]


def test_a_search_that_was_killed_ends_as_an_undisturbed_one(folder: Path) -> None:
    undisturbed = results(folder / "undisturbed.db")
    assert len(undisturbed) == killed.TRIALS
    assert {state for state, *_ in undisturbed} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert results(folder / "killed.db") == undisturbed


def test_a_killed_trial_has_failed_and_another_one_took_its_place(folder: Path) -> None:
    with studies.opened(folder / "killed.db") as study:
        failed = studies.trials(study, [TrialState.FAIL])
        assert len(failed) == 2
        assert len(study.trials) == killed.TRIALS + 2
        again = {studies.first(trial) for trial in study.trials if studies.first(trial) != trial.number}
        assert again <= {trial.number for trial in failed}
        assert again


def test_no_checkpoint_and_no_half_file_is_left(folder: Path) -> None:
    assert list((folder / ".petpark" / "checkpoints").iterdir()) == []
    assert list(folder.rglob("*.partial")) == []
    assert list(folder.glob("*.db-journal")) == []


# Several processes, by the command


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text()]


def below(pid: int) -> list[int]:
    """The processes below a process, however far."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(each for child in children for each in below(child))]


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["petpark", "tune", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def settled(little: Path, tmp_path: Path) -> Path:
    folder = lakes.copy(little, tmp_path / "here")
    (folder / layout.PARAMS).write_text(json.dumps(PARAMS))
    return folder


def test_none_of_several_processes_outlives_their_parent_and_the_next_search_ends_with_as_many_trials(
    settled: Path,
) -> None:
    words = ("--trials", "9", "--workers", "2", "--sampler", "random")
    with start(settled, *words) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline() for _ in range(3)]
        assert [line.partition("]")[0] for line in lines] == ["[1/9", "[2/9", "[3/9"]
        pids = below(parent.pid)
        assert len(pids) >= 2
        parent.kill()
        deadline = time.monotonic() + 30
        while alive(pids):
            assert time.monotonic() < deadline, "a process outlived its parent"
            time.sleep(0.05)
    with studies.opened(settled / studies.STUDY) as study:
        assert studies.trials(study, [TrialState.RUNNING]), "it was killed in the middle"
    done = subprocess.run(
        ["petpark", "tune", *words], cwd=settled, env=environment(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with studies.opened(settled / studies.STUDY) as study:
        ended = studies.trials(study)
        assert len(ended) == 9
        assert not studies.trials(study, [TrialState.RUNNING, TrialState.WAITING])
        assert len({repr(trial.user_attrs[studies.SETTINGS]) for trial in ended}) == 9
    assert (settled / studies.PAGE).is_file()


def test_a_process_that_is_killed_alone_ends_the_search_in_one_sentence(settled: Path) -> None:
    with start(settled, "--trials", "50", "--workers", "2") as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        workers = [pid for pid in below(parent.pid) if not Path(f"/proc/{pid}/task/{pid}/children").read_text()]
        with studies.opened(settled / studies.STUDY) as study:
            assert studies.trials(study, [TrialState.RUNNING])
        victim = max(workers, key=lambda pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]))
        os.kill(victim, signal.SIGKILL)
        _, errors = parent.communicate(timeout=120)
    assert parent.returncode == 2
    assert errors.startswith("petpark: a process of the search was killed, most often for want of memory")
    assert errors.count("\n") == 1
    assert not alive(workers)
