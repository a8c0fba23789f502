"""A report as one self-contained page that loads nothing and runs nothing, in the style of the other pages."""

from collections.abc import Callable, Sequence
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from petpark.report import charts, svg
from petpark.report.axes import Axis
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
    Series,
    Small,
    Strong,
    Table,
    Text,
    shortened,
)
from petpark.report.change.compose import Report
from petpark.report.panel import Panel
from petpark.report.scales import Even
from petpark.report.text import printable

_ROWS: Final = 1000
_KINDS: Final = {"orange": "c2", "blue": "c1", "grey": "faint"}


def render(report: Report) -> str:
    """Draw the page; the same report gives the same bytes.

    Returns:
        an HTML document.
    """
    sections = _sections(shortened(report.blocks, _ROWS))
    title = next(block for block in report.blocks if isinstance(block, Heading))
    return _environment().get_template("change.html.j2").render(title=title, sections=sections)


def _sections(blocks: Sequence[Block]) -> list[tuple[Heading | None, list[Markup]]]:
    """The blocks under each heading; what is folded away, and what comes after it, stands by itself."""
    found: list[tuple[Heading | None, list[Markup]]] = []
    folded = False
    for block in blocks:
        if isinstance(block, Heading):
            found.append((block, []))
        elif isinstance(block, Details) != folded:
            found.append((None, [_block(block)]))
        else:
            found[-1][1].append(_block(block))
        folded = isinstance(block, Details)
    return found


def _block(block: Block) -> Markup:
    match block:
        case Heading():
            return Markup("<h2>{}</h2>").format(printable(block.text))
        case Text():
            return Markup("<p>{}</p>").format(_line(block.line))
        case Listing():
            return Markup('<ul class="reasons">{}</ul>').format(_each("<li>{}</li>", block.items, _line))
        case Table():
            return _table(block)
        case Chart():
            return _chart(block)
        case Details():
            inner = Markup("").join(map(_block, block.blocks))
            return Markup("<details><summary>{}</summary>{}</details>").format(printable(block.title), inner)


def _table(table: Table) -> Markup:
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_kind(place, table.words), _line(cell))
        for place, cell in enumerate(table.head)
    )
    rows = Markup("").join(Markup("<tr>{}</tr>").format(_row(row, table.words)) for row in table.rows)
    opening = Markup('<div class="scroll" tabindex="0" role="region" aria-label="{}">').format(table.caption)
    whole = Markup('<table class="wide"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(head, rows)
    return opening + whole


def _row(row: Sequence[Line], words: int) -> Markup:
    first = Markup('<th scope="row">{}</th>').format(_line(row[0]))
    others = (
        Markup("<td{}>{}</td>").format(_kind(place, words), _line(cell)) for place, cell in enumerate(row[1:], start=1)
    )
    return first + Markup("").join(others)


def _kind(place: int, words: int) -> Markup:
    return Markup(' class="words"') if place < words else Markup("")


def _line(pieces: Line) -> Markup:
    return Markup("").join(map(_piece, pieces))


def _piece(piece: Piece) -> Markup:
    match piece:
        case str():
            return Markup("{}").format(_spaced(piece))
        case Strong():
            return Markup('<b class="{}">{}</b>').format(piece.mood, printable(piece.text))
        case Code():
            return Markup("<bdi><code>{}</code></bdi>").format(printable(piece.text))
        case Small():
            return Markup("<small>{}</small>").format(printable(piece.text))
        case Link():
            return Markup('<a href="{}" rel="noreferrer">{}</a>').format(piece.address, printable(piece.text))
        case Range():
            return _range(piece)


def _spaced(text: str) -> str:
    """A text between others keeps the spaces at its ends."""
    clean = printable(text)
    return f"{' ' * (text[:1] == ' ')}{clean}{' ' * (text[-1:] == ' ' and bool(clean))}"


def _range(piece: Range) -> Markup:
    reach = max(piece.reach, 1e-9)
    return charts.interval(piece.gain, Axis(-reach, reach), piece.title, 0.0, piece.mood)


def _chart(chart: Chart) -> Markup:
    low, high = mermaid.bounds([value for series in chart.series for value in series.values])
    panel = Panel(Even(*chart.ends), Even(low, high))
    parts = [*panel.axes(chart.across, chart.up), *(_curve(panel, chart, series) for series in chart.series)]
    return Markup('<figure class="chart-of">{}</figure>').format(
        svg.picture("chart", panel.width, panel.height, chart.title, parts)
    )


def _curve(panel: Panel, chart: Chart, series: Series) -> Markup:
    first, last = chart.ends
    step = (last - first) / max(len(series.values) - 1, 1)
    places = [panel.at(first + step * place, value) for place, value in enumerate(series.values)]
    return svg.path(f"curve {_KINDS[series.colour]}", places, series.name)


def _each(form: str, items: Sequence[Line], write: Callable[[Line], Markup]) -> Markup:
    return Markup("").join(Markup(form).format(write(item)) for item in items)  # noqa: S704 - the form is ours


def _environment() -> Environment:
    folders = ("report/change/templates", "report/templates")
    return Environment(
        loader=ChoiceLoader([PackageLoader("petpark", folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
