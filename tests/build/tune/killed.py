"""Searches that are killed with signal 9: `python -m tests.build.tune.killed STUDY SAVE`.

The search in the current folder dies at its SAVE-th save of a checkpoint, in the middle of it; with 0 it lives.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import torch

from petpark.build.tune.plan import Plan
from petpark.build.tune.search import search
from tests.build.tune.conftest import planned

TRIALS: Final = 9


def plan(study: str) -> Plan:
    """The search: it stops trials early, and there are five before that."""
    rates = {"low": 1e-5, "high": 0.01, "log": True}
    space = {"learning_rate": rates, "ema": [0.5, 0.8]}
    return planned("tpe", TRIALS, search=space, study=study, epochs=4, batch_size=8)


def _die_at(number: int) -> None:
    save, saves = torch.save, []

    def save_half_and_die(state: object, path: Any) -> None:
        save(state, path)
        saves.append(path)
        if len(saves) == number:
            os.truncate(path, Path(path).stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = save_half_and_die  # type: ignore[assignment] # fewer arguments do


def main(study: str, save: int) -> None:
    """Search, and die."""
    torch.set_num_threads(1)
    if save:
        _die_at(save)
    search(plan(study), 1, print)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
