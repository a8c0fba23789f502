"""Checkpoints: the state of a training that may be killed at any time, outside every stage's outputs."""

import hashlib
import json
import time
from typing import Any, Final

import torch
from torch import Tensor

from petpark import files
from petpark.layout import SCRATCH

_FOLDER: Final = SCRATCH / "checkpoints"
_SECONDS: Final = 60


def mark(state: dict[str, Tensor]) -> str:
    """SHA-256 of the weights that a training starts from, as hex: a weights file may change under its name."""
    digest = hashlib.sha256()
    for value in state.values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


class Checkpoint:
    """The last saved state of the training that `facts` describe; other facts are another training.

    DVC removes a stage's outputs before it runs, so this lies elsewhere. It holds tensors and plain values only.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        key = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:20]
        self.path = _FOLDER / f"{key}.pt"
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The saved state, if there is one that can be read; a damaged one is said and forgotten."""
        if not self.path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
        except Exception:  # noqa: BLE001 - torch raises what the damage happens to hit
            print(f"{self.path} is damaged: training starts anew.")
            return None
        return state

    def due(self) -> bool:
        """Whether a minute has passed since the last save."""
        return time.monotonic() - self._saved >= _SECONDS

    def save(self, state: dict[str, Any]) -> None:
        """Replace the saved state, whole or not at all."""
        with files.whole(self.path) as partial:
            torch.save(state, partial)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Forget the state: the training is done."""
        self.path.unlink(missing_ok=True)
