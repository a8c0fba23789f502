"""How good a classifier is on known photos: figures with 95 % intervals, for any number of labels.

Shapes: `truth` is [N], the index of each photo's label; `probabilities` is [N, K]; the answer is the most probable
label, the first one of equals. Intervals are percentile intervals of the bootstrap over photos (Efron & Tibshirani,
An Introduction to the Bootstrap, 1993, chapter 13): all figures of one resample come from the same photos.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petpark.errors import DataError, ModelError
from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import ClassFigures, Confidence, Coverage, CurvePoint, Figures
from petpark.resampling import BINS, Floats, Indices, Judged, bins, draw, estimate, estimates, short

POINTS: Final = 100  # of a precision-recall curve
_Z: Final = 1.959964  # 95 % of the normal distribution lie within +-z

Probabilities = NDArray[np.float32] | Floats
Matrix = Sequence[Sequence[float]] | Floats


@dataclass(frozen=True)
class Gain:
    """What a challenger has over a champion on the same photos."""

    champion_accuracy: float
    challenger_accuracy: float
    accuracy: Estimate
    """Accuracy gained."""
    cost: Estimate
    """Cost per 1,000 photos saved."""


def measure(
    truth: Indices, probabilities: Probabilities, labels: tuple[str, ...], cost: Matrix, *, resamples: int, seed: int
) -> Figures:
    """Measure everything, with intervals.

    A label that is never predicted has precision 0, one without photos has recall 0, and F1 is 0 with either. Macro
    recall is the mean over the labels with photos (balanced accuracy); macro precision and F1 also count labels that
    are only predicted. The rate ratio of a label without photos counts it as having one. `recall_gap` is between the
    best and the worst label with photos; its interval is that of the difference of these two, so it may reach below
    0. `brier` is the sum over labels of squared differences, 0 to 2 (Brier, 1950). ROC-AUC is that of the second label
    where there are two, else the mean of each against the rest; equal scores count half (Hanley & McNeil, 1982), and
    where one kind of photo is missing it is 0.5.

    Args:
        truth: [N], N >= 1.
        probabilities: [N, K].
        labels: names of the K labels, K >= 2.
        cost: [K, K], of each (label, answer) pair.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        DataError: there is no photo.
        ModelError: a probability is no number.
    """
    if not len(truth):
        raise DataError("The test side holds no photo to judge the model on: add photos, or raise `split.test_share`.")
    if not np.isfinite(probabilities).all():
        raise ModelError("The model answers with probabilities that are no numbers: train and package it again.")
    judged = Judged(truth, probabilities.astype(np.float64), np.asarray(cost, np.float64))
    point = judged.figures(np.ones((1, len(truth)), np.int32))
    chunks = [judged.figures(weights) for weights in draw(len(truth), resamples, seed)]
    drawn = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in point}
    best, worst = _extremes(point["class_recall"][0], np.unique(truth))
    for figures in (point, drawn):
        figures["recall_gap"] = figures["class_recall"][:, [best]] - figures["class_recall"][:, [worst]]
    found = {name: estimates(point[name][0], drawn[name]) for name in point}
    return Figures(
        photos=len(truth),
        **{name: each[0] for name, each in found.items() if name in Figures.model_fields},
        classes=tuple(_classes(found, truth, judged.predicted, labels)),
        confusion=confusion(truth, judged.predicted, len(labels)),
    )


def confusion(truth: Indices, predicted: Indices, k: int) -> tuple[tuple[int, ...], ...]:
    """Count photos, [K, K]: rows are true labels, columns predicted ones."""
    counts = np.bincount(truth * k + predicted, minlength=k * k).reshape(k, k)
    return tuple(tuple(row) for row in counts.tolist())


def expected_cost(counts: Sequence[Sequence[int]], matrix: Matrix) -> float:
    """Cost per 1,000 photos of a confusion matrix [K, K], by a cost matrix [K, K]; 0 without photos."""
    photos = np.asarray(counts, np.float64)
    return float(1000 * (photos * np.asarray(matrix, np.float64)).sum() / max(photos.sum(), 1.0))


def coverage(truth: Indices, probabilities: Probabilities, thresholds: Iterable[float]) -> tuple[Coverage, ...]:
    """What each threshold of `unsure` would mean; accuracy is 0 where no photo reaches it."""
    confidence, hits = _answers(truth, probabilities)
    order = np.argsort(confidence)
    ranked, right = confidence[order], np.concatenate([[0.0], np.cumsum(hits[order])])
    found = []
    for threshold in thresholds:
        below = int(np.searchsorted(ranked, threshold))
        sure = len(ranked) - below
        accuracy = (right[-1] - right[below]) / max(sure, 1)
        found.append(Coverage(threshold=threshold, share=short(sure / max(len(ranked), 1)), accuracy=short(accuracy)))
    return tuple(found)


def choose_threshold(truth: Indices, probabilities: Probabilities, target_accuracy: float) -> float:
    """Choose the lowest confidence from which on photos are labelled so accurately.

    It lies halfway between two confidences that occur, so that rounding elsewhere changes no answer. It is 0 where
    all photos together are accurate enough. Where no threshold reaches the target, it is the one with the highest
    accuracy, the lowest of equals.
    """
    confidence, hits = _answers(truth, probabilities)
    levels, group = np.unique(confidence, return_inverse=True)
    if not len(levels):
        return 0.0
    sure = np.cumsum(np.bincount(group)[::-1])[::-1]  # photos from each level on
    right = np.cumsum(np.bincount(group, hits)[::-1])[::-1]
    reached = right >= target_accuracy * sure - 1e-9
    place = int(np.argmax(reached if reached.any() else right / sure))
    if place == 0:
        return 0.0
    halfway = float(levels[place - 1] + levels[place]) / 2
    return halfway if halfway > levels[place - 1] else float(levels[place])


def reliability(truth: Indices, probabilities: Probabilities) -> tuple[Confidence, ...]:
    """Confidence and accuracy in each bin that holds photos, the least confident first."""
    confidence, hits = _answers(truth, probabilities)
    place = bins(confidence)
    photos, sure, right = (np.bincount(place, each, BINS) for each in (None, confidence, hits))
    return tuple(
        Confidence(
            photos=int(photos[place]),
            confidence=short(sure[place] / photos[place]),
            accuracy=short(right[place] / photos[place]),
        )
        for place in np.flatnonzero(photos).tolist()
    )


def precision_recall(
    truth: Indices, probabilities: Probabilities, labels: tuple[str, ...]
) -> dict[str, tuple[CurvePoint, ...]]:
    """The precision-recall curve of each label with photos: at most 100 points, at recalls spread evenly."""
    return {
        label: tuple(_curve(truth == place, probabilities[:, place].astype(np.float64)))
        for place, label in enumerate(labels)
        if (truth == place).any()
    }


def share_interval(hits: NDArray[np.bool_]) -> Estimate:
    """A share of photos with the interval of Wilson (1927), which holds for a few photos and near 0 and 1 too.

    Without photos the share is 0, and its interval everything.
    """
    n = len(hits)
    if not n:
        return Estimate(value=0.0, low=0.0, high=1.0)
    share = float(hits.mean())
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return estimate(share, max(0.0, centre - half), min(1.0, centre + half))


def paired_gain(
    truth: Indices, champion: Indices, challenger: Indices, cost: Matrix, *, resamples: int, seed: int
) -> Gain:
    """Compare two models on the same photos, with a paired bootstrap: what both find hard counts for neither.

    Args:
        truth: [N], N >= 1.
        champion: [N] its answers.
        challenger: [N] its answers.
        cost: [K, K], of each (label, answer) pair; K covers the labels of both.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    prices = np.asarray(cost, np.float64)
    better = (challenger == truth).astype(np.float64) - (champion == truth)
    saved = 1000 * (prices[truth, champion] - prices[truth, challenger])
    gains = np.stack([better, saved], axis=1)
    drawn = [weights @ gains / len(truth) for weights in draw(len(truth), resamples, seed)]
    accuracy, saving = estimates(gains.mean(axis=0), np.concatenate(drawn))
    return Gain(short((champion == truth).mean()), short((challenger == truth).mean()), accuracy, saving)


def _extremes(recall: Floats, known: Indices) -> tuple[int, int]:
    """The labels with the best and the worst recall among those with photos; of equal ones, two."""
    ranked = known[np.argsort(recall[known], kind="stable")]
    return int(ranked[-1]), int(ranked[0])


def _classes(
    found: dict[str, tuple[Estimate, ...]], truth: Indices, predicted: Indices, labels: tuple[str, ...]
) -> Iterator[ClassFigures]:
    photos, answers = (np.bincount(each, minlength=len(labels)).tolist() for each in (truth, predicted))
    for place, label in enumerate(labels):
        yield ClassFigures(
            label=label,
            photos=photos[place],
            predicted=answers[place],
            precision=found["class_precision"][place],
            recall=found["class_recall"][place],
            f1=found["class_f1"][place],
            rate_ratio=found["rate_ratio"][place],
        )


def _answers(truth: Indices, probabilities: Probabilities) -> tuple[Floats, Floats]:
    """Confidence of each answer, [N], and whether it is right, [N] of 0 and 1."""
    hits = probabilities.argmax(axis=1) == truth
    return probabilities.max(axis=1).astype(np.float64), hits.astype(np.float64)


def _curve(positive: NDArray[np.bool_], scores: Floats) -> Iterator[CurvePoint]:
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)  # of each group of equal scores
    right = np.cumsum(positive[order])[last]
    recall, precision = right / positive.sum(), right / (last + 1)
    levels = np.linspace(1 / POINTS, 1, POINTS)
    for place in np.unique(np.searchsorted(recall, levels - 1e-9)).tolist():
        yield CurvePoint(recall=short(recall[place]), precision=short(precision[place]))
