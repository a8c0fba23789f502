"""What became of the figures: base against head, with the interval of the difference, and who wins."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from petpark.config.policy import Cost
from petpark.evidence.build import Comparison
from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import ClassFigures, Evaluation, Slice
from petpark.metrics import expected_cost

Unit = Literal["share", "score", "cost"]
Winner = Literal["better", "worse", "tie"]


@dataclass(frozen=True)
class Move:
    """One figure on both sides."""

    name: str
    unit: Unit
    base: Estimate | None
    head: Estimate
    gain: Estimate | None
    """Head less base."""
    less_is_better: bool = False
    paired: bool = False
    """Whether both models answered the same photos, and the interval is that of the difference."""

    @property
    def winner(self) -> Winner | None:
        """Whether the head is credibly better or worse; None where there is nothing to compare."""
        if self.gain is None:
            return None
        if self.gain.low <= 0 <= self.gain.high:
            return "tie"
        return "better" if (self.gain.value < 0) == self.less_is_better else "worse"


@dataclass(frozen=True)
class LabelMove:
    """One label on both sides; None where a side does not know it."""

    label: str
    base: ClassFigures | None
    head: ClassFigures | None
    recall: Move | None
    precision: Move | None

    @property
    def worse(self) -> bool:
        """Whether it is credibly found more rarely, or said more wrongly."""
        return any(move is not None and move.winner == "worse" for move in (self.recall, self.precision))


@dataclass(frozen=True)
class SliceMove:
    """One kind of photos on both sides."""

    name: str
    value: str
    photos: int
    accuracy: Move


def apart(base: Estimate, head: Estimate) -> Estimate:
    """The difference of two figures with an interval from theirs, as if they were of different photos.

    Where both are of the same photos the true interval is mostly shorter, so what counts here counts. Source:
    G. Y. Zou, A. Donner, Construction of Confidence Limits about Effect Measures, 2008.
    """
    value = head.value - base.value
    low = value - math.hypot(head.value - head.low, base.high - base.value)
    high = value + math.hypot(head.high - head.value, base.value - base.low)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def retrained(base: Evaluation | None, head: Evaluation) -> bool:
    """Whether the head's model is another one."""
    return base is None or base.model.sha256 != head.model.sha256


def of_base(comparison: Comparison | None, base: Evaluation | None) -> Comparison | None:
    """The comparison, if its champion is the base's model."""
    if comparison is None or base is None or comparison.champion_model != base.model.sha256:
        return None
    return comparison


def moves(base: Evaluation | None, head: Evaluation, comparison: Comparison | None, cost: Cost) -> Iterator[Move]:
    """The main figures; a comparison on the same photos serves where there is one with the base's model.

    Args:
        base: its evaluation.
        head: its evaluation.
        comparison: with any champion.
        cost: prices the mistakes of both sides.
    """
    paired = of_base(comparison, base)
    yield _move("accuracy", "share", base, head, paired=paired.accuracy_gain if paired else None)
    yield _move("f1", "share", base, head)
    yield _move("roc_auc", "score", base, head)
    yield _move("calibration_error", "share", base, head, less_is_better=True)
    yield _move("recall_gap", "share", base, head, less_is_better=True)
    yield _priced(base, head, paired, cost)


def labels(base: Evaluation | None, head: Evaluation) -> list[LabelMove]:
    """Every label of either side, those with the lowest recall first."""
    old = {each.label: each for each in base.classes} if base else {}
    new = {each.label: each for each in head.classes}
    ranked = sorted(new.values(), key=lambda each: (not each.photos, each.recall.value))
    names = [each.label for each in ranked] + [label for label in old if label not in new]
    return [_label(name, old.get(name), new.get(name)) for name in names]


def slices(base: Evaluation | None, head: Evaluation) -> list[SliceMove]:
    """Every kind of photos of the head, in its order; bounds that moved with the data are the same kind."""
    old = {_kind(each): each.accuracy for each in base.slices} if base else {}
    return [
        SliceMove(each.name, each.value, each.photos, _between("accuracy", old.get(_kind(each)), each.accuracy))
        for each in head.slices
    ]


def reprice(found: Evaluation, cost: Cost) -> Estimate:
    """Cost per 1,000 photos by these prices: without an interval where the evidence was made by others."""
    value = expected_cost(found.confusion, cost.matrix(found.model.labels))
    if math.isclose(value, found.cost.value, rel_tol=1e-5, abs_tol=1e-5):
        return found.cost
    return Estimate(value=value, low=value, high=value)


_NAMES: Final = {
    "accuracy": "accuracy",
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "calibration_error": "calibration error",
    "recall_gap": "recall gap between labels",
}


def _move(
    field: str,
    unit: Unit,
    base: Evaluation | None,
    head: Evaluation,
    *,
    less_is_better: bool = False,
    paired: Estimate | None = None,
) -> Move:
    old: Estimate | None = getattr(base, field) if base else None
    new: Estimate = getattr(head, field)
    gain = paired or (apart(old, new) if old else None)
    return Move(_NAMES[field], unit, old, new, gain, less_is_better, paired is not None)


def _priced(base: Evaluation | None, head: Evaluation, paired: Comparison | None, cost: Cost) -> Move:
    """The cost: paired only where the comparison was made by the same prices, which are those of its evaluation."""
    old, new = reprice(base, cost) if base else None, reprice(head, cost)
    saved, gain = paired.cost_gain if paired else None, None
    if new is head.cost and saved is not None:
        gain = Estimate(value=-saved.value, low=-saved.high, high=-saved.low)
    elif new is head.cost and old is not None and base is not None and old is base.cost:
        gain = apart(old, new)
    return Move("cost per 1,000 photos", "cost", old, new, gain, less_is_better=True, paired=bool(gain and saved))


def _label(name: str, old: ClassFigures | None, new: ClassFigures | None) -> LabelMove:
    if new is None or not new.photos:
        return LabelMove(name, old, new, None, None)
    known = old if old is not None and old.photos else None
    return LabelMove(
        name,
        old,
        new,
        _between("recall", known.recall if known else None, new.recall),
        _between("precision", known.precision if known else None, new.precision),
    )


def _between(name: str, old: Estimate | None, new: Estimate) -> Move:
    return Move(name, "share", old, new, apart(old, new) if old else None)


def _kind(part: Slice) -> tuple[str, str]:
    return part.name, part.value.partition(" (")[0]
