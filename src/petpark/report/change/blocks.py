"""What a report is made of. It holds words and figures, never markup: each renderer escapes every text in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from petpark.evidence.core import Estimate

Mood = Literal["good", "bad", "open", "plain"]


@dataclass(frozen=True)
class Strong:
    """Words that matter."""

    text: str
    mood: Mood = "plain"


@dataclass(frozen=True)
class Code:
    """A name that someone else gave: of a label, a batch, a setting, a revision."""

    text: str


@dataclass(frozen=True)
class Small:
    """What a second look is for, on a line of its own."""

    text: str


@dataclass(frozen=True)
class Link:
    """A way out; `links.checked` has seen its address."""

    text: str
    address: str


@dataclass(frozen=True)
class Range:
    """A difference with its interval, to be drawn around zero where drawing is possible."""

    gain: Estimate
    reach: float
    """The larger end of the scale."""
    mood: Mood
    title: str


Piece: TypeAlias = str | Strong | Code | Small | Link | Range
Line: TypeAlias = tuple[Piece, ...]


def line(*pieces: Piece) -> Line:
    """A line of text."""
    return pieces


@dataclass(frozen=True)
class Heading:
    """The title of what follows; level 1 is that of the whole."""

    level: Literal[1, 2]
    text: str
    mood: Mood = "plain"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    line: Line


@dataclass(frozen=True)
class Listing:
    """Lines under each other."""

    items: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A table; the columns after the first `words` ones hold figures."""

    head: tuple[Line, ...]
    rows: tuple[tuple[Line, ...], ...]
    words: int = 1
    caption: str = ""
    """What it shows, for who cannot see it."""


@dataclass(frozen=True)
class Chart:
    """Lines through figures that lie at even steps from one end of the x axis to the other."""

    title: str
    across: str
    up: str
    ends: tuple[float, float]
    """Of the x axis."""
    series: "tuple[Series, ...]"


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    """One of ours, never a stranger's."""
    colour: Literal["orange", "blue", "grey"]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Details:
    """What is folded away; the first thing to go where there is no room."""

    title: str
    blocks: "tuple[Block, ...]"


Block: TypeAlias = Heading | Text | Listing | Table | Chart | Details


def shortened(blocks: Sequence[Block], rows: int) -> tuple[Block, ...]:
    """The same with at most so many rows in each table, and a line that says how many more there are."""
    return tuple(_shortened(blocks, rows))


def _shortened(blocks: Sequence[Block], rows: int) -> Iterator[Block]:
    for block in blocks:
        match block:
            case Details():
                yield replace(block, blocks=shortened(block.blocks, rows))
            case Table() if len(block.rows) > rows:
                yield replace(block, rows=block.rows[:rows])
                yield Text(line(f"and {len(block.rows) - rows:,} more"))
            case _:
                yield block
