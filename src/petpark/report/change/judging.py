"""The tables of figures: the main ones, the labels, and kinds of photos."""

from collections.abc import Iterator, Sequence

from petpark.evidence.evaluation import ClassFigures
from petpark.evidence.package import Package
from petpark.report import words
from petpark.report.change.blocks import Block, Heading, Line, Piece, Small, Strong, Table, Text, line
from petpark.report.change.figures import LabelMove, Move, SliceMove
from petpark.report.change.side import Head, Side
from petpark.report.change.wording import NOTHING, difference, figure, gained, mood, name, shorten, with_interval, won


def main(base: Side, head: Head, moves: Sequence[Move]) -> Table:
    """The main figures, base against head, and who wins; then the file that ships."""
    ships = _file(base, head)
    if base.evaluation is None or base.evaluation == head.evidence.evaluation:
        rows = [(line(each.name), with_interval(each.head, each.unit)) for each in moves]
        rows += [(first, last) for first, _, last, *_ in ships]
        return Table((line("figure"), line("this change")), tuple(rows), caption="Main figures")
    columns = ("figure", "base", "this change", "difference", "")
    compared = (_compared(each, moves) for each in moves)
    return Table(tuple(map(line, columns)), (*compared, *ships), caption="Main figures, base and this change")


def _compared(move: Move, moves: Sequence[Move]) -> tuple[Line, ...]:
    """A row; all differences of one unit are drawn on one scale."""
    gains = [each.gain for each in moves if each.gain and each.unit == move.unit]
    reach = max((abs(end) for gain in gains for end in (gain.low, gain.high)), default=0.0)
    return (
        line(move.name),
        with_interval(move.base, move.unit),
        with_interval(move.head, move.unit, strong=True),
        difference(move, reach),
        line(won(move)),
    )


def note(moves: Sequence[Move]) -> str:
    """How to read the intervals of differences."""
    if not any(move.gain for move in moves):
        return "Intervals are of 95%."
    which = "Differences"
    if any(move.paired for move in moves):
        which = "Paired: both models answered the same photos. Other differences"
    return f"Intervals are of 95%. {which} are taken from those of both sides: small ones may be real and not be seen."


def labels(moves: Sequence[LabelMove], of: int) -> Iterator[Block]:
    """Some labels of so many, the worst first."""
    title = "label, the worst first" if len(moves) == of else f"{len(moves)} labels of {of:,}, first what got worse"
    head = (line(title), line("recall"), line("precision"), line("predicted"))
    yield Table(head, tuple(_label(each) for each in moves), caption="Every label")


def moved(parts: Sequence[SliceMove], *, compared: bool) -> Iterator[Block]:
    """Kinds of photos whose accuracy moved beyond chance."""
    if not compared or not parts:
        return
    found = [each for each in parts if each.accuracy.winner in ("better", "worse")]
    known = sum(each.accuracy.gain is not None for each in parts)
    if not found:
        yield Text(line(f"No kind of photos moved beyond its interval, of {known} that both sides know."))
        return
    yield Heading(2, "Kinds of photos that moved")
    yield kinds(found)
    yield Text(line(Small(f"Of {known} kinds that both sides know; at most one in twenty would move by chance.")))


def kinds(parts: Sequence[SliceMove]) -> Table:
    """Accuracy on kinds of photos."""
    rows = tuple(
        (
            line(f"{shorten(each.name)}: ", name(each.value)),
            line(f"{each.photos:,}"),
            _arrow(each.accuracy),
        )
        for each in parts
    )
    return Table((line("photos"), line("how many"), line("accuracy")), rows, caption="Accuracy on kinds of photos")


def _file(base: Side, head: Head) -> Iterator[tuple[Line, ...]]:
    """The size and the speed of the file that ships."""
    old, new = base.evaluation, head.evidence.evaluation
    before = words.size(old.model.bytes) if old else NOTHING
    yield line("size of the file"), line(before), line(words.size(new.model.bytes)), line(), line()
    times = [_milliseconds(package) for package in (base.package, head.evidence.package)]
    yield line("milliseconds per photo"), line(times[0]), line(times[1]), line(), line()


def _milliseconds(package: Package | None) -> str:
    chosen = package.variant(package.chosen) if package else None
    return f"{chosen.milliseconds:.2f} ({chosen.name})" if chosen else NOTHING


def _label(each: LabelMove) -> tuple[Line, ...]:
    if each.head is None:
        return line(name(each.label), Small("not known any more")), line(NOTHING), line(NOTHING), line(NOTHING)
    about = f"{words.count(each.head.photos, 'photo')}{'' if each.base else ', new'}"
    first = line(name(each.label), Small(about))
    if each.recall is None or each.precision is None:
        return first, line("no test photos"), line(NOTHING), line(NOTHING)
    return first, _arrow(each.recall), _arrow(each.precision), line(_skew(each.head))


def _skew(found: ClassFigures) -> Piece:
    """How a label's predicted rate stands to its true one; strong where chance does not explain it."""
    said = words.skew(found.rate_ratio.value)
    return Strong(said, "bad") if words.beyond_chance(found.rate_ratio, 1) else said


def _arrow(move: Move) -> Line:
    """A cell: base → head, and below the difference."""
    new = Strong(figure(move.head.value, move.unit))
    if move.base is None or move.gain is None:
        return line(new, Small(f"{figure(move.head.low, move.unit)} to {figure(move.head.high, move.unit)}"))
    old = figure(move.base.value, move.unit)
    verdict: Line = line(" ", Strong(str(move.winner), mood(move))) if move.winner != "tie" else line()
    return (f"{old} → ", new, *verdict, Small(gained(move)))
