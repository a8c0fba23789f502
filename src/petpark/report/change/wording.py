"""How the report puts things into words."""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from petpark.evidence.core import Estimate
from petpark.report import words
from petpark.report.change.blocks import Code, Line, Mood, Piece, Range, Small, Strong, line
from petpark.report.change.figures import Move, Unit
from petpark.report.text import columns, printable

NAME: Final = 40  # columns that a name of someone else's may take
REASON: Final = 400
NAMED: Final = 2  # settings or batches that the first lines name
NO_GAIN: Final = "no measurable gain"
NOTHING: Final = "\u2013"
_QUOTED: Final = re.compile(r"'([^']{1,80})'|`([^`]{1,80})`|\b([0-9a-f]{12,40})\b")
_MOODS: Final[dict[str | None, Mood]] = {"better": "good", "worse": "bad"}


def shorten(text: str, most: int = NAME) -> str:
    """A stranger's text on one line: what is not printable becomes `?`, and what is too long ends in `…`."""
    clean = printable(text[: 4 * most])
    fits = sum(wide <= most for wide in accumulate(map(columns, clean)))
    kept = clean[: min(fits, 2 * most)]  # combining signs take no column
    return kept if kept == clean and len(text) <= 4 * most else f"{kept.rstrip()}…"


def name(text: str) -> Code:
    """A name that someone else gave."""
    return Code(shorten(text) or "(no name)")


def written(value: str | None, most: int = NAME) -> Piece:
    """A setting's value as it is written; None is one that is not there."""
    return "not set" if value is None else Code(shorten(value, most) or "''")


def reason(text: str) -> Line:
    """A reason of the gate; what stands in quotes in it are names, and what stands in backticks commands."""
    return tuple(_pieces(shorten(text, REASON)))


def _pieces(text: str) -> Iterator[Piece]:
    place = 0
    for found in _QUOTED.finditer(text):
        if before := text[place : found.start()]:
            yield before
        yield name(next(group for group in found.groups() if group))
        place = found.end()
    if rest := text[place:]:
        yield rest


def figure(value: float, unit: Unit) -> str:
    """A figure by itself."""
    return {"share": words.percent(value), "score": f"{value:.3f}", "cost": words.number(value)}[unit]


def span(found: Estimate, unit: Unit) -> str:
    """The interval of a figure."""
    return f"{figure(found.low, unit)} to {figure(found.high, unit)}"


def signed(value: float, unit: Unit) -> str:
    """A difference: shares in points."""
    digits, scaled = {"share": (1, 100 * value), "score": (3, value), "cost": (1, value)}[unit]
    return f"{round(scaled, digits) + 0.0:+,.{digits}f}"


def gained(move: Move) -> str:
    """A difference with its interval, such as `+0.4 points (-0.8 to +1.6)`."""
    if move.gain is None:
        return NOTHING
    points = " points" if move.unit == "share" else ""
    ends = f"{signed(move.gain.low, move.unit)} to {signed(move.gain.high, move.unit)}"
    return f"{signed(move.gain.value, move.unit)}{points} ({ends})"


def won(move: Move) -> Piece:
    """Who wins, in words."""
    if move.winner is None:
        return NOTHING
    return NO_GAIN if move.winner == "tie" else Strong(move.winner, mood(move))


def mood(move: Move) -> Mood:
    """Whether a difference is good or bad news."""
    return _MOODS.get(move.winner, "plain")


def with_interval(found: Estimate | None, unit: Unit, *, strong: bool = False) -> Line:
    """A cell: the figure, and its interval below."""
    if found is None:
        return line(NOTHING)
    said = figure(found.value, unit)
    value: Piece = Strong(said) if strong else said
    return line(value) if found.low == found.high else line(value, Small(span(found, unit)))


def difference(move: Move, reach: float) -> Line:
    """A cell: the difference, its interval below, and both drawn where that is possible."""
    if move.gain is None:
        return line(NOTHING)
    value, _, ends = gained(move).partition(" (")
    drawn = Range(move.gain, reach, mood(move), f"{move.name} {gained(move)}")
    return line(value, drawn, Small(f"{ends.removesuffix(')')}{', paired' if move.paired else ''}"))


def counted(value: int, noun: str) -> str:
    """So many things more or less, as `+1,204 photos`."""
    return f"{value:+,} {noun}{'' if abs(value) == 1 else 's'}"


def minutes(value: float) -> str:
    """A time as `12 s`, `3.4 minutes` or `2.1 hours`."""
    if value < 1:
        return f"{60 * value:.0f} s"
    return f"{value:,.1f} minutes" if value < 120 else f"{value / 60:,.1f} hours"


def plural(things: int, one: str, many: str) -> str:
    """So many things whose name has a plural of its own."""
    return f"{things:,} {one if things == 1 else many}"
