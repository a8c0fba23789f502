"""A report that fits: what is folded away goes first, from the bottom up, and what was left out is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from petpark.report.change import markdown
from petpark.report.change.blocks import Block, Details, Heading, Line, Link, Piece, Text, line, shortened
from petpark.report.change.wording import shorten

MARKER: Final = "<!-- petpark: report of the pull request -->"
"""The last line of a comment, which nobody sees: by it the comment is found again."""

_ROWS: Final = 50


@dataclass(frozen=True)
class Limit:
    """How long a text may be, and how that is measured."""

    most: int
    measure: Callable[[str], int]
    marker: str = ""


def _units(text: str) -> int:
    """UTF-16 units: no way to count characters gives more."""
    return len(text.encode("utf-16-le")) // 2


def _bytes(text: str) -> int:
    return len(text.encode())


COMMENT: Final = Limit(65_536, _units, MARKER)
SUMMARY: Final = Limit(1 << 20, _bytes)


def fit(blocks: Sequence[Block], limit: Limit, link: Link | None = None) -> str:
    """Write blocks as Markdown within a limit.

    Args:
        blocks: the report; its last block stays.
        limit: of the place that it is for.
        link: where the whole report is, if that is known.
    """
    kept, gone = list(shortened(blocks, _ROWS)), list[Block]()
    while True:
        text = _written(kept, gone, limit, link)
        if limit.measure(text) <= limit.most or not (place := _expendable(kept)):
            return text
        gone.insert(0, kept.pop(place))
        if _bare(kept, place - 1):
            gone.insert(0, kept.pop(place - 1))


def _expendable(blocks: Sequence[Block]) -> int | None:
    """The place of the block to leave out next: the last one that is folded, then the last one at all but the end."""
    folded = [place for place, block in enumerate(blocks) if isinstance(block, Details)]
    if folded:
        return folded[-1]
    return len(blocks) - 2 if len(blocks) > 3 else None


def _bare(blocks: Sequence[Block], place: int) -> bool:
    """Whether a section's title is left without its section."""
    title, below = blocks[place], blocks[place + 1]
    return isinstance(title, Heading) and title.level > 1 and (below is blocks[-1] or isinstance(below, Heading))


def _written(kept: Sequence[Block], gone: Sequence[Block], limit: Limit, link: Link | None) -> str:
    note = [Text(_left_out(gone, link))] if gone else []
    text = markdown.render([*kept[:-1], *note, *kept[-1:]])
    return f"{text}\n{limit.marker}\n" if limit.marker else text


def _left_out(gone: Sequence[Block], link: Link | None) -> Line:
    titles = [block.title for block in gone if isinstance(block, Details)]
    titles += [block.text for block in gone if isinstance(block, Heading)]
    named = "; ".join(shorten(title, 80) for title in titles) or "what does not fit here"
    where: tuple[Piece, ...] = (", and stands in the ", link, ".") if link else (".",)
    return (*line(f"Left out for want of room: {named}"), *where)
