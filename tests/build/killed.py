"""Trainings that are killed with signal 9 and started again: `python -m tests.build.killed LAKE FOLDER`.

Each moment of MOMENTS gets a folder with a copy of the lake, in which one process trains until it is killed, and a
second one goes on. What they print lies in `first.txt` and `second.txt`. All are forked from this process, which has
imported torch and not used it yet.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch

from petpark.build import checkpoint
from petpark.build import train as trainer
from petpark.build.checkpoint import Checkpoint
from petpark.config.train import TrainSettings
from tests.build import lakes

SEED: Final = 5
SETTINGS: Final = TrainSettings(image_size=16, epochs=2, batch_size=16, mixup=0.2, cache_gb=1e-4)
SAVES: Final = 3  # the save at which it dies

_save = torch.save
import_module("dvc.repo")  # which DVCLive imports late: once for all processes


def die(*_: object, **__: object) -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _die_saved() -> None:
    saves = []
    save = Checkpoint.save

    def save_and_die(self: Checkpoint, state: dict[str, Any]) -> None:
        save(self, state)
        saves.append(state["step"])
        if len(saves) == SAVES:
            die()

    Checkpoint.save = save_and_die  # type: ignore[method-assign]


def _die_saving() -> None:
    saves = []

    def save_half_and_die(state: object, path: Any) -> None:
        _save(state, path)
        saves.append(path)
        if len(saves) == SAVES:
            os.truncate(path, path.stat().st_size // 2)
            die()

    torch.save = save_half_and_die  # type: ignore[assignment] # fewer arguments do


def _die_logging() -> None:
    trainer._log = die


def _nothing() -> None:
    """Let it end."""


def _damage() -> None:
    (path,) = checkpoint._FOLDER.iterdir()
    os.truncate(path, path.stat().st_size // 2)


MOMENTS: Final[dict[str, tuple[Callable[[], None], Callable[[], None], int]]] = {
    # what befalls the first process, what happens then, and the seed of the second one
    "undisturbed": (_nothing, _nothing, SEED),
    "after a save": (_die_saved, _nothing, SEED),
    "in a save": (_die_saving, _nothing, SEED),
    "after the last epoch": (_die_logging, _nothing, SEED),
    "damaged": (_die_saved, _damage, SEED),
    "another seed": (_die_saved, _nothing, SEED + 1),
}


def main(lake: Path, folder: Path) -> None:
    """Go through all moments."""
    checkpoint._SECONDS = 0  # type: ignore[misc]
    for moment, (disturb, then, seed) in MOMENTS.items():
        os.chdir(lakes.copy(lake, folder / moment))
        _in_a_child("first.txt", disturb, SEED)
        then()
        _in_a_child("second.txt", _nothing, seed)


def _in_a_child(out: str, disturb: Callable[[], None], seed: int) -> None:
    child = os.fork()
    if not child:
        os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT), 1)
        try:
            disturb()
            trainer.train(SETTINGS, seed)
            sys.stdout.flush()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    wanted = 0 if disturb is _nothing else signal.SIGKILL
    if status != wanted:
        sys.exit(f"{Path.cwd().name}, {out}: status {status}, not {wanted}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
