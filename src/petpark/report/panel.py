"""The frame of a chart between two scales of any kind, as inline SVG."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from petpark.report import svg
from petpark.report.scales import Scale

WIDTH, HEIGHT = 400.0, 260.0
_LONGEST: Final = 12  # letters of a name under an axis


@dataclass(frozen=True)
class Panel:
    """The rectangle inside two axes."""

    x: Scale
    y: Scale
    width: float = WIDTH
    height: float = HEIGHT

    def at(self, x: object, y: object) -> tuple[float, float]:
        """The place of a pair of values."""
        left, right, top, bottom = 54.0, 8.0, 26.0, 40.0
        across = left + self.x.place(x) * (self.width - left - right)
        return across, top + (1 - self.y.place(y)) * (self.height - top - bottom)

    def axes(self, across: str, up: str) -> Iterator[Markup]:
        """Grid lines with their values, and what each axis means."""
        left, right, top, bottom = 54.0, self.width - 8.0, 26.0, self.height - 40.0
        for place, label in self.y.ticks:
            height = bottom - place * (bottom - top)
            yield svg.shape("line", "grid", x1=left, y1=height, x2=right, y2=height)
            yield svg.text(left - 6, height + 4, label, "end")
        for place, label in self.x.ticks:
            here = left + place * (right - left)
            yield svg.shape("line", "grid", x1=here, y1=top, x2=here, y2=bottom)
            short = label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
            yield svg.text(here, bottom + 16, short, "middle")
        yield svg.text(4, 12, up, "start", "axis")
        yield svg.text(right, self.height - 6, across, "end", "axis")
