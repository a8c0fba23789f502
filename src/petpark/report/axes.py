"""Scales, and the frame that two of them make."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from petpark.report import svg

WIDTH, HEIGHT = 400.0, 372.0  # of every chart with axes
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def scores(cls, values: Iterable[float]) -> "Axis":
        """The scale of shares that end at 100%: as close as fits all of them, at least 5 points wide."""
        lowest = min(values, default=0.0)
        step = _at_least(_STEPS, (1 - lowest) / 5)
        return cls(max(0.0, min(0.95, math.floor(lowest / step) * step)), 1.0)

    @classmethod
    def ratios(cls, values: Iterable[float]) -> "Axis":
        """The scale of ratios around 1."""
        reach = max((abs(value - 1) for value in values), default=0.0)
        half = _at_least((0.05, 0.1, 0.2, 0.3, 0.4, 0.5), reach) if reach <= 0.5 else float(math.ceil(reach))
        return cls(max(0.0, 1 - half), 1 + half)

    def place(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    @property
    def ticks(self) -> list[float]:
        """Four to six round values from end to end."""
        step = _at_least(_STEPS, (self.high - self.low) / 5 - 1e-9)
        first, last = math.ceil(self.low / step - 1e-6), math.floor(self.high / step + 1e-6)
        return [round(place * step, 6) for place in range(first, last + 1)]


def _at_least(steps: Sequence[float], wanted: float) -> float:
    return next((step for step in steps if step >= wanted), steps[-1])


@dataclass(frozen=True)
class Frame:
    """The rectangle inside the axes, and the way from values to places in it."""

    x: Axis
    y: Axis
    width: float = 336
    height: float = 302
    left: float = 42
    top: float = 26

    def across(self, value: float) -> float:
        """The place of a value of x, from the left."""
        return self.left + self.x.place(value) * self.width

    def down(self, value: float) -> float:
        """The place of a value of y, from the top."""
        return self.top + (1 - self.y.place(value)) * self.height

    def line(self, kind: str, start: tuple[float, float], end: tuple[float, float]) -> Markup:
        """A straight line between two points (x, y) of the scales."""
        (x1, y1), (x2, y2) = start, end
        return svg.shape("line", kind, x1=self.across(x1), y1=self.down(y1), x2=self.across(x2), y2=self.down(y2))

    def axes(self, across: str, up: str) -> Iterator[Markup]:
        """Grid lines with their values, and what each axis means."""
        for tick in self.x.ticks:
            yield self.line("grid", (tick, self.y.low), (tick, self.y.high))
            yield svg.text(self.across(tick), self.top + self.height + 16, f"{tick:.0%}", "middle")
        for tick in self.y.ticks:
            yield self.line("grid", (self.x.low, tick), (self.x.high, tick))
            yield svg.text(self.left - 6, self.down(tick) + 4, f"{tick:.0%}", "end")
        yield svg.text(4, 12, up, "start", "axis")
        yield svg.text(self.left + self.width, self.top + self.height + 34, across, "end", "axis")
