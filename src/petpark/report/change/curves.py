"""The charts: how training went, and what recall costs in precision."""

from collections.abc import Iterator, Sequence
from typing import Final

from petpark.evidence.evaluation import CurvePoint
from petpark.report.change import figures
from petpark.report.change.blocks import Block, Chart, Details, Series, Text, line
from petpark.report.change.side import Head, Side
from petpark.report.change.wording import name

_POINTS: Final = 60  # of a training curve
_STEPS: Final = 21  # of recall
_LABELS: Final = 3


def training(base: Side, head: Head) -> Iterator[Block]:
    """Loss by epoch; that of the base beside it where both are as long."""
    loss, validation = (head.side.curves.get(name, ()) for name in ("loss", "validation_loss"))
    if len(validation) < 2 or len(loss) != len(validation) or not _trained_anew(base, head):
        return
    before = base.curves.get("validation_loss", ())
    series = [Series("training", "grey", _thinned(loss))]
    said = "Grey: loss on the training side. Orange: on the validation side."
    if len(before) == len(validation):
        series.append(Series("validation, base", "blue", _thinned(before)))
        said += " Blue: on the validation side, in the training of the base."
    series.append(Series("validation", "orange", _thinned(validation)))
    chart = Chart("Loss by epoch", "epoch", "loss", (1, len(validation)), tuple(series))
    yield Details("How training went", (Text(line(said)), chart))


def precision_recall(base: Side, head: Head) -> Iterator[Block]:
    """Precision against recall of the labels with the lowest F1."""
    new, old = head.evidence.evaluation, base.evaluation
    ranked = sorted((each for each in new.classes if new.curves.get(each.label)), key=lambda each: each.f1.value)
    if not ranked or not figures.retrained(old, new):
        return
    blocks: list[Block] = []
    for each in ranked[:_LABELS]:
        before = old.curves.get(each.label, ()) if old else ()
        series = [Series("base", "blue", _sampled(before))] if before else []
        series.append(Series("this change", "orange", _sampled(new.curves[each.label])))
        said = ". Orange: this change. Blue: the base." if before else ". Orange: this change."
        blocks += [
            Text(line("Label ", name(each.label), said)),
            Chart("Precision against recall", "recall", "precision", (0, 1), tuple(series)),
        ]
    title = "Precision and recall"
    if len(ranked) > _LABELS:
        title += f" of the {_LABELS} weakest labels"
    yield Details(title, tuple(blocks))


def _trained_anew(base: Side, head: Head) -> bool:
    return figures.retrained(base.evaluation, head.evidence.evaluation)


def _thinned(values: Sequence[float]) -> tuple[float, ...]:
    """At most _POINTS figures at even steps from the first to the last."""
    if len(values) <= _POINTS:
        return tuple(values)
    return tuple(values[round(place * (len(values) - 1) / (_POINTS - 1))] for place in range(_POINTS))


def _sampled(points: Sequence[CurvePoint]) -> tuple[float, ...]:
    """The highest precision that comes with at least this recall, at even steps of it; 0 where none does.

    Source: C. Manning, P. Raghavan, H. Schütze, Introduction to Information Retrieval, 2008, section 8.4.
    """
    levels = [step / (_STEPS - 1) for step in range(_STEPS)]
    found = [[point.precision for point in points if point.recall >= level - 1e-6] for level in levels]
    return tuple(max(each, default=0.0) for each in found)
