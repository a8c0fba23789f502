"""A report as GitHub's Markdown, for comments and job summaries.

Whatever others wrote comes out as text and nothing else: no markup, no mention, no reference to an issue, no link, no
formula. Names stand between backticks, where GitHub looks for none of these.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from markupsafe import escape

from petpark.report.change import mermaid
from petpark.report.change.blocks import (
    Block,
    Chart,
    Code,
    Details,
    Heading,
    Line,
    Link,
    Listing,
    Piece,
    Range,
    Small,
    Strong,
    Table,
    Text,
)
from petpark.report.text import printable

_GAP: Final = "\u200b"  # zero width space: what it divides is no mention and no link any more
_MARKUP: Final = re.compile(r"[\\`*_\[\]~|&<>$]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "<span>$</span>"}  # GitHub's own way to write a dollar
_AUTOMATIC: Final = re.compile(r"@|#(?=\w)|:(?=[\w/+-])|www(?=\.)|gh(?=-\d)|[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)
_BEGINNING: Final = re.compile(r"^(?:[-+](?=\s|$)|-(?=-)|#(?=#*(?:\s|$))|\d+(?=[.)](?:\s|$)))")
_PLAIN_NAME: Final = re.compile(r"[^`|\\<]+")  # so that no `<` in the text is a stranger's


def render(blocks: Sequence[Block]) -> str:
    """Write the blocks; the same blocks give the same text."""
    return "\n\n".join("\n".join(_block(block)) for block in blocks) + "\n"


def escaped(text: str) -> str:
    """A text that reads as it is, wherever it stands."""
    marked = _MARKUP.sub(lambda found: _ENTITIES.get(found.group(), f"\\{found.group()}"), _divided(text))
    return _BEGINNING.sub(_as_text, marked)


def _divided(text: str) -> str:
    """One line in which nothing is a mention, a reference or an address."""
    return _AUTOMATIC.sub(lambda found: found.group() + _GAP, printable(text))


def _as_text(found: re.Match[str]) -> str:
    """What would begin a list, a heading or a rule: the sign behind the number, or the sign itself."""
    return f"{found.group()}\\" if found.group()[0].isdigit() else f"\\{found.group()}"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * (block.level + 1)} {escaped(block.text)}"
        case Text():
            yield _line(block.line)
        case Listing():
            yield from (f"- {_line(item)}" for item in block.items)
        case Table():
            yield from _table(block)
        case Chart():
            yield from ("```mermaid", *mermaid.chart(block), "```")
        case Details():
            yield f"<details><summary>{escape(_divided(block.title))}</summary>"
            yield ""
            yield render(block.blocks)
            yield "</details>"


def _table(table: Table) -> Iterator[str]:
    yield _row(table.head)
    yield "|" + "|".join(":---" if place < table.words else "---:" for place in range(len(table.head))) + "|"
    yield from map(_row, table.rows)


def _row(cells: Sequence[Line]) -> str:
    return "| " + " | ".join(map(_line, cells)) + " |"


def _line(pieces: Line) -> str:
    written = "".join(_piece(piece, first=place == 0) for place, piece in enumerate(pieces))
    return written.strip()


def _piece(piece: Piece, *, first: bool) -> str:
    match piece:
        case str():
            return _spaced(piece)
        case Strong():
            return f"**{escaped(piece.text)}**"
        case Code():
            return _name(printable(piece.text))
        case Small():
            return f"{'' if first else '<br>'}<sub>{escaped(piece.text)}</sub>"
        case Link():
            return f"[{escaped(piece.text)}]({piece.address})"
        case Range():
            return ""


def _spaced(text: str) -> str:
    """A text between others keeps the spaces at its ends."""
    ahead = " " if text[:1] == " " else ""
    behind = " " if text[-1:] == " " and text.strip() else ""
    return f"{ahead}{escaped(text)}{behind}"


def _name(text: str) -> str:
    if _PLAIN_NAME.fullmatch(text):
        return f"`{text}`"
    inside = escaped(text).replace(r"\|", "&#124;")  # which ends no cell of a table
    return f"<code>{inside}</code>" if text else ""
