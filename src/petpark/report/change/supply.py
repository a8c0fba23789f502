"""What the model is made from: batches and corrections, parameters and policy."""

from collections.abc import Iterator, Sequence

from petpark.evidence.validation import BatchCount, Validation
from petpark.report import words
from petpark.report.change import material
from petpark.report.change.blocks import Block, Code, Details, Heading, Line, Piece, Small, Table, Text, line
from petpark.report.change.material import BatchMove, Setting
from petpark.report.change.side import Head, Side
from petpark.report.change.wording import NAMED, NOTHING, counted, name, plural, shorten, written

_COUNTS = (
    ("corrected", "corrected labels"),
    ("excluded", "photos excluded by hand"),
    ("duplicates", "duplicates dropped"),
    ("conflicts", "photos under two labels, dropped"),
    ("leaked", "photos to learn from that resemble one to judge on"),
)


def data(base: Side, head: Head) -> Iterator[Block]:
    """What became of the photos: the batches that differ, and what was dropped or corrected."""
    found, new = material.batches(base, head.side), head.evidence.validation
    differing = [each for each in found if each.state != "same"]
    counts = list(_counts(base.validation, new))
    lines = material.corrections(base, head.side)
    if not differing and not counts and not lines.lines:
        return
    yield Heading(2, "Data")
    if differing:
        yield _table(differing)
        if rest := len(found) - len(differing):
            yield Text(line(f"{plural(rest, 'batch', 'batches')} as before; in all {_whole(new)}."))
    if lines.lines:
        yield Text((Code("corrections.csv"), *_corrections(lines)))
    if counts:
        yield Table(
            (line("of all photos"), line("base"), line("this change")), tuple(counts), caption="Photos left out"
        )


def batches(base: Side, head: Head) -> Iterator[Block]:
    """Every batch, and how many photos of each label lie on each side."""
    found, new = material.batches(base, head.side), head.evidence.validation
    old = {each.label: each for each in base.validation.classes} if base.validation else {}
    rows = []
    for each in new.classes:
        sides = ("train", "validation", "test")
        rows.append((line(name(each.label)), *(_moved(old.get(each.label), each, side) for side in sides)))
    columns = (line("label"), line("train"), line("validation"), line("test"))
    each_label = Table(columns, tuple(rows), caption="Photos of each label")
    yield Details("All batches, and the photos of each label", (_table(found), each_label))


def settings(base: Side, head: Head) -> Iterator[Block]:
    """Parameters and policy that differ; a few parameters stand in the first lines already."""
    parameters, policy = material.parameters(base, head.side), material.policy(base, head.side)
    if len(parameters) > NAMED:
        yield from (Heading(2, "Settings"), _settings("setting", parameters))
    if policy:
        yield from (Heading(2, "Policy"), _settings("entry", policy))


def _settings(what: str, found: Sequence[Setting]) -> Table:
    rows = tuple((line(name(each.name)), line(written(each.base, 60)), line(written(each.head, 60))) for each in found)
    return Table((line(what), line("base"), line("this change")), rows, words=3, caption=f"Each {what} that differs")


def _moved(before: object, after: object, side: str) -> Line:
    old, new = getattr(before, side, None), getattr(after, side)
    return line(f"{new:,}") if old == new or old is None else line(f"{old:,} → {new:,}")


def _whole(found: Validation) -> str:
    photos, held = (sum(getattr(each, field) for each in found.batches) for field in ("photos", "quarantined"))
    batches = plural(len(found.batches), "batch", "batches")
    return f"{words.count(photos, 'photo')} in {batches}, {held:,} of them in quarantine"


def _counts(old: Validation | None, new: Validation) -> Iterator[tuple[Line, ...]]:
    for field, said in _COUNTS:
        before, after = getattr(old, field, None), getattr(new, field)
        if before != after:
            yield line(said), line(NOTHING if before is None else f"{before:,}"), line(f"{after:,}")


def _table(found: Sequence[BatchMove]) -> Table:
    columns = (line("batch"), line("photos"), line("in quarantine"))
    return Table(columns, tuple(map(_batch, found)), caption="Batches")


def _batch(each: BatchMove) -> tuple[Line, ...]:
    known = each.head or each.base
    role = f"{known.role}, {each.state}" if known and each.state != "same" else known.role if known else ""
    first = line(name(each.name), Small(role))
    if each.head is None:
        return first, line(f"{each.base.photos if each.base else 0:,} → gone"), line(NOTHING)
    photos = f"{each.head.photos:,}"
    if each.base and each.photos:
        photos = f"{each.base.photos:,} → {photos} ({counted(each.photos, 'photo')})"
    return first, line(photos), _quarantined(each.base, each.head)


def _quarantined(old: BatchCount | None, new: BatchCount) -> Line:
    why = ", ".join(f"{shorten(reason, 24)} {count:,}" for reason, count in sorted(new.reasons.items())[:6])
    said: Piece = f"{new.quarantined:,}"
    if old is not None and old.quarantined != new.quarantined:
        said = f"{old.quarantined:,} → {said}"
    return line(said, Small(why)) if why else line(said)


def _corrections(found: material.Corrections) -> Line:
    pieces: list[Piece] = []
    for label, count in found.added[:6]:
        pieces += [", " if pieces else ": new ", f"{count:,} as ", name(label)]
    if more := sum(count for _, count in found.added[6:]):
        pieces.append(f", {more:,} others")
    if found.changed:
        pieces.append(f"{', ' if pieces else ': '}{words.count(found.changed, 'line')} changed")
    if found.removed:
        pieces.append(f"{', ' if pieces else ': '}{words.count(found.removed, 'line')} removed")
    return (*pieces, ".")
