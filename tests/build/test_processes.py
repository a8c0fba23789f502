"""Several processes train as one does: the same gradients, the same accuracy, one voice."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from petpark import cli, layout
from petpark.build import processes
from petpark.config.params import load_params
from petpark.errors import PetparkError
from tests.build import lakes

PARAMS = """train:
  image_size: 32
  epochs: 4
  batch_size: 16
  learning_rate: 0.003
  ema: 0.8
  processes: {processes}
ingest:
  short_side: 40
  batches: {batches}
seed: 0
split: {{}}
validate: {{}}
package: {{}}
evaluate: {{}}
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def repository(lake_here: Path) -> Path:
    """A lake with settings for two processes, as the current folder."""
    configure(2)
    return lake_here


def configure(count: int, **changes: object) -> None:
    batches = json.dumps({name: {"sha256": "0" * 64} for name in lakes.BATCHES})
    text = PARAMS.format(processes=count, batches=batches)
    for name, value in changes.items():
        text = re.sub(rf"{name}: .*", f"{name}: {value}", text)
    layout.PARAMS.write_text(text)


def accuracy() -> float:
    return float(json.loads((layout.TRAINING / "metrics.json").read_text())["accuracy"])


def test_parts_of_a_batch_are_the_batch() -> None:
    rows = np.arange(10)
    parts = [processes.Team(rank, 3).share(rows) for rank in range(3)]
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_is_a_team_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    network = torch.nn.Linear(2, 2)
    with processes.team() as team, team.leader_first():
        assert team.leads
        assert team.joined(network) is network
        assert float(team.mean(torch.tensor(3.0))) == 3.0
    assert not processes.started()


def test_the_gradients_of_two_processes_are_those_of_the_whole_batch() -> None:
    done = run("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.build.joined")
    said = re.search(r"2 processes, apart (\S+), mean rank 0.5, (\d+) gradients", done.stdout)
    assert said, done.stdout + done.stderr
    assert float(said[1]) < 1e-5
    assert int(said[2]) > 10


def test_two_processes_learn_as_well_as_one_and_speak_once(repository: Path) -> None:
    done = run("petpark", "train")
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [f"epoch {n} of 4" for n in range(1, 5)]
    together = accuracy()
    saved = torch.load(layout.WEIGHTS, weights_only=True)
    assert saved["settings"]["processes"] == 2
    assert not list(Path(".petpark/checkpoints").glob("*"))
    configure(1)
    assert cli.main(["train"]) == 0
    assert together > 0.9
    assert accuracy() > 0.9


def test_a_complaint_is_said_once(repository: Path) -> None:
    configure(2, learning_rate=1e30)
    done = run("petpark", "train")
    assert done.returncode == 2
    assert "loss is no finite number" in done.stderr
    assert done.stderr.count("petpark:") == 1
    assert "Traceback" not in done.stderr
    assert not layout.WEIGHTS.exists()


def test_a_batch_that_cannot_be_divided_is_refused(repository: Path) -> None:
    configure(3)
    with pytest.raises(PetparkError, match="batch of 16 photos cannot be divided among 3 processes"):
        load_params()


ONE_CORE = """
import os, sys
from petpark.build import processes
os.sched_getaffinity = lambda _: {0}
sys.exit(processes.launch(2, "--help"))
"""


def test_more_processes_than_cores_are_told(workspace: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ONE_CORE], check=True, capture_output=True, text=True)
    assert "petpark: 2 processes for 1 core: that is slower" in done.stderr
