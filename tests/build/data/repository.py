"""A repository with Git, DVC and a pipeline of the real one's stages, in which batches come and go."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PARAMS_YAML = """# what the pipeline does
seed: 3

ingest:
  short_side: 64
  batches: {} # written by `petpark data add`

split: {test_share: 0.25}   # a comment
validate: {}
train:
    model: small
package: {}
evaluate: {resamples: 500}
"""
DVC_YAML = """# the pipeline
stages:
  ingest:
    foreach: ${ingest.batches}
    do:
      cmd: echo ${key} ${item.sha256}
      deps: ["data/${key}.tar"]
      outs: ["lake/${key}/manifest.parquet", "lake/${key}/shard", "lake/${key}/originals.parquet"]

  split:
    cmd: echo
    deps:
      # deeper than the others
      - corrections.csv
      - src/split.py   # the code
    params: [ingest.batches]
    outs: [lake/split.parquet]

  validate:
    cmd: echo
    deps:
    - lake/split.parquet
    # the code
    - src/validate.py

  train:
    cmd: echo
    deps: # training photos
    - src/train.py
    outs: [models/model.pt]

  package:
    cmd: echo
    deps:
    - models/model.pt
    outs: [models/model.onnx]

  # judges
  evaluate:
    cmd: echo
    deps:
    - models/model.onnx
    # the end
"""


def git(*arguments: str, cwd: Path | None = None) -> str:
    """Run a Git command, and return what it says."""
    return _run("git", *arguments, cwd=cwd)


def dvc(*arguments: str, cwd: Path | None = None) -> str:
    """Run a DVC command, and return what it says."""
    return _run(sys.executable, "-m", "dvc", *arguments, cwd=cwd)


def _run(*command: str, cwd: Path | None) -> str:
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def obey(commands: Sequence[str]) -> None:
    """Run commands that a person is told to run, and commit."""
    for command in commands:
        program, *arguments = command.split()
        {"git": git, "dvc": dvc}[program](*arguments)
    git("commit", "--quiet", "--message", "as told")


def use_remote(url: str, root: Path = Path()) -> None:
    """Make a folder, given from .dvc on, the default remote."""
    (root / ".dvc" / "config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {url}\n")


def lay(root: Path) -> Path:
    """Make an empty repository whose DVC remote is a folder in it."""
    root.mkdir()
    git("init", "--quiet", cwd=root)
    dvc("init", "--quiet", cwd=root)
    use_remote("store", root)
    (root / ".gitignore").write_text("/data\n/lake/\n/models/\n/.petpark/\n")
    (root / "params.yaml").write_text(PARAMS_YAML)
    (root / "dvc.yaml").write_text(DVC_YAML)
    git("add", "--all", cwd=root)
    git("commit", "--quiet", "--message", "empty", cwd=root)
    return root
