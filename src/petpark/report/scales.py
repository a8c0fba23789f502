"""Scales for charts of settings and losses: even, logarithmic, or one place for each name."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

_STEPS: Final = (1, 2, 5, 10)
_MOST: Final = 6  # values at an axis


class Scale(Protocol):
    """The way from values to places between 0 (low end) and 1."""

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places, and what stands there."""

    def place(self, value: Any) -> float:
        """Where a value lies."""


@dataclass(frozen=True)
class Even:
    """From `low` to `high`, each step as long as the other."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> "Even":
        """A scale on which all of these lie, with a little room at its ends."""
        low, high = _ends(values)
        room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
        return cls(low - room, high + room)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Up to six round values."""
        return [(self.place(value), f"{value:.10g}") for value in self.marks]

    @property
    def marks(self) -> list[float]:
        """Up to six round values between the ends."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(each * power for each in _STEPS if each * power >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def place(self, value: Any) -> float:
        """Where a value lies."""
        return (float(value) - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Log:
    """From `low` to `high`, both above 0, each factor as long as the other."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float], least: float = 1e-5) -> "Log":
        """A scale on which all of these lie, with a little room at its ends; values under `least` lie at its end."""
        low, high = _ends(max(value, least) for value in values)
        room = (high / low) ** 0.06 if high > low else 1.2
        return cls(low / room, high * room)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Up to six: 1, 2 and 5 times powers of ten, or these powers alone, or round values between near ends."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        fine = [step * 10.0**power for power in powers for step in _STEPS[:3]]
        tens, fine = ([each for each in some if self.low <= each <= self.high] for some in (fine[::3], fine))
        values = fine if len(fine) <= _MOST else tens[:: math.ceil(len(tens) / _MOST)]
        return [(self.place(value), f"{value:.10g}") for value in (values if len(values) > 1 else self._marks)]

    @property
    def _marks(self) -> list[float]:
        return Even(self.low, self.high).marks

    def place(self, value: Any) -> float:
        """Where a value lies."""
        return math.log(max(float(value), self.low) / self.low) / math.log(self.high / self.low)


@dataclass(frozen=True)
class Names:
    """One place for each of some values, in their order."""

    values: Sequence[Any]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Every value."""
        return [(self.place(value), said(value)) for value in self.values]

    def place(self, value: Any) -> float:
        """Where a value lies."""
        return (list(self.values).index(value) + 0.5) / len(self.values)


def said(value: Any) -> str:
    """A value as `params.yaml` shows it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _ends(values: Iterable[float]) -> tuple[float, float]:
    known = sorted(values)
    return (known[0], known[-1]) if known else (1.0, 1.0)
