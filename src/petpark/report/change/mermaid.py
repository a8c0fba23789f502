"""Charts in Mermaid, which GitHub draws. Nothing of a stranger's goes into one: figures and our own words only."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from petpark.report.change.blocks import Chart

COLOURS: Final = {"orange": "#d55e00", "blue": "#3e8ed0", "grey": "#8492a0"}  # seen on white and on black alike

_LEAST: Final = 0.01  # from end to end of an axis


def chart(block: Chart) -> Iterator[str]:
    """The lines of an xychart."""
    palette = ", ".join(COLOURS[series.colour] for series in block.series)
    low, high = bounds([value for series in block.series for value in series.values])
    yield (
        '%%{init: {"xyChart": {"width": 720, "height": 300}, '
        f'"themeVariables": {{"xyChart": {{"plotColorPalette": "{palette}"}}}}}}}}%%'
    )
    yield "xychart-beta"
    yield f'  x-axis "{block.across}" {_number(block.ends[0])} --> {_number(block.ends[1])}'
    yield f'  y-axis "{block.up}" {_number(low)} --> {_number(high)}'
    for series in block.series:
        yield f"  line [{', '.join(map(_number, series.values))}]"


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Round ends of an axis on which all values lie."""
    low, high = min(values), max(values)
    step = 10.0 ** math.floor(math.log10(max(high - low, _LEAST)))
    step /= 2 if (high - low) / step < 4 else 1
    bottom, top = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if top > bottom:
        return bottom, top
    return (bottom - step, top) if bottom >= step else (bottom, bottom + step)  # shares end at 1


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
