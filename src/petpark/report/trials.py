"""What a search for settings found, as its page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One training with some settings."""

    number: int
    values: Mapping[str, Any]
    """The searched settings by name."""
    losses: tuple[float, ...]
    """Loss on the validation side after each epoch."""
    accuracies: tuple[float, ...]
    """Accuracy on the validation side after each epoch."""
    stopped: str = ""
    """Why it did not come to its end; empty if it did."""

    @property
    def loss(self) -> float:
        """Loss on the validation side after the last epoch."""
        return self.losses[-1]

    @property
    def accuracy(self) -> float:
        """Accuracy on the validation side after the last epoch."""
        return self.accuracies[-1]


@dataclass(frozen=True)
class Search:
    """What a search found."""

    trials: tuple[Trial, ...]
    """In the order in which they began."""
    logarithmic: frozenset[str]
    """Settings whose values were drawn by their logarithm."""
    listed: Mapping[str, Sequence[Any]]
    """The values of settings that were listed, by name."""
    now: Mapping[str, Any]
    """The searched settings as they stand in `params.yaml`."""
    photos: int
    """On the validation side."""
    importances: Mapping[str, float]
    """Share of the differences that each setting explains, the largest first; empty if too few trials ended."""

    @property
    def ended(self) -> list[Trial]:
        """The trials that came to their end, the best first."""
        ended = [trial for trial in self.trials if not trial.stopped]
        return sorted(ended, key=lambda trial: (trial.loss, trial.number))

    @property
    def best(self) -> Trial:
        """The trial with the lowest loss, the earlier of equals."""
        return self.ended[0]

    @property
    def present(self) -> Trial | None:
        """The trial with the settings as they stand in `params.yaml`, if there is one."""
        return next((trial for trial in self.ended if trial.values == self.now), None)
