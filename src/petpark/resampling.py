"""Figures of a classifier as functions of how often each photo counts, resamples that say so, and their intervals.

Shapes: N photos, K labels, B resamples; weights are [B, N], how often each photo is in each resample.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petpark.evidence.core import Estimate

BINS: Final = 15  # of confidence, of equal width (Guo et al., On Calibration of Modern Neural Networks, 2017)
_HELD: Final = 1 << 21  # weights in memory at a time
_RANGE: Final = (2.5, 97.5)
_DIGITS: Final = 6  # of a figure: in later ones, machines differ

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]
Weights = NDArray[np.int32]


def draw(n: int, count: int, seed: int) -> Iterator[Weights]:
    """Yield the weights of `count` bootstrap resamples of n photos, a few at a time: memory stays bounded."""
    rng = np.random.default_rng(seed)
    step = max(1, _HELD // n)
    for start in range(0, count, step):
        rows = range(start, min(start + step, count))
        yield np.stack([np.bincount(rng.integers(0, n, n), minlength=n).astype(np.int32) for _ in rows])


def estimates(values: Floats, drawn: Floats) -> tuple[Estimate, ...]:
    """Estimates of F figures, from their values [F] and resampled values [B, F]."""
    low, high = np.percentile(drawn, _RANGE, axis=0)
    return tuple(estimate(*each) for each in zip(values.tolist(), low.tolist(), high.tolist(), strict=True))


def estimate(value: float, low: float, high: float) -> Estimate:
    """An estimate whose interval holds the value: that of a biased figure (calibration error) may lie beside it."""
    return Estimate(value=short(value), low=short(min(low, value)), high=short(max(high, value)))


def short(value: float) -> float:
    """A figure with as many digits as every machine agrees on."""
    return round(float(value), _DIGITS)


def bins(confidence: Floats) -> Indices:
    """The bin of each confidence: above its lower end, up to its upper one."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


class Judged:
    """Photos with their answers, ready to be weighed.

    Args:
        truth: [N] index of each photo's label.
        probabilities: [N, K].
        cost: [K, K], of each (label, answer) pair.
    """

    def __init__(self, truth: Indices, probabilities: Floats, cost: Floats) -> None:
        n, k = probabilities.shape
        self.predicted = np.asarray(probabilities.argmax(axis=1), np.int64)
        hit = self.predicted == truth
        self._true, self._given = _Groups(truth, k), _Groups(self.predicted, k)
        self._hits = _Groups(np.where(hit, truth, k), k + 1)
        self._scores = [_Scores(probabilities[:, place], truth == place) for place in (range(k) if k > 2 else [1])]
        confidence = probabilities.max(axis=1)
        gap = np.zeros((n, BINS))
        gap[np.arange(n), bins(confidence)] = confidence - hit
        brier = ((probabilities - np.eye(k)[truth]) ** 2).sum(axis=1)
        self._columns = np.column_stack([gap, brier, 1000 * cost[truth, self.predicted]])

    def figures(self, weights: Weights) -> dict[str, Floats]:
        """Return each figure for each row of weights: [B, 1], or [B, K] where it is one per label."""
        true, given, hits = self._true(weights), self._given(weights), self._hits(weights)[:, :-1]
        known, seen = true > 0, (true > 0) | (given > 0)
        precision, recall = hits / np.maximum(given, 1), hits / np.maximum(true, 1)
        f1 = 2 * hits / np.maximum(true + given, 1)
        means = weights @ self._columns / weights.sum(axis=1, keepdims=True)
        return {
            "accuracy": hits.sum(axis=1, keepdims=True) / true.sum(axis=1, keepdims=True),
            "class_precision": precision,
            "class_recall": recall,
            "class_f1": f1,
            "rate_ratio": np.where(seen, given / np.maximum(true, 1), 1.0),
            "precision": _mean(precision, seen),
            "recall": _mean(recall, known),
            "f1": _mean(f1, seen),
            "roc_auc": self._roc_auc(weights),
            "calibration_error": np.abs(means[:, :BINS]).sum(axis=1, keepdims=True),
            "brier": means[:, BINS : BINS + 1],
            "cost": means[:, BINS + 1 :],
        }

    def _roc_auc(self, weights: Weights) -> Floats:
        areas = np.stack([scores.area(weights) for scores in self._scores], axis=1)
        defined = ~np.isnan(areas)
        found = _mean(np.where(defined, areas, 0.0), defined)
        return np.where(defined.any(axis=1, keepdims=True), found, 0.5)


class _Groups:
    """Sums weights by a group of each photo, to [B, groups]."""

    def __init__(self, group: Indices, count: int) -> None:
        self._order, self._count = np.argsort(group, kind="stable"), count
        self._present, self._starts = np.unique(group[self._order], return_index=True)

    def __call__(self, weights: Weights) -> Floats:
        sums = np.zeros((len(weights), self._count))
        sums[:, self._present] = np.add.reduceat(np.take(weights, self._order, axis=1), self._starts, axis=1)
        return sums


class _Scores:
    """One label's scores: how well they put its photos above the others."""

    def __init__(self, scores: Floats, positive: NDArray[np.bool_]) -> None:
        self._order = np.argsort(scores, kind="stable")
        ranked = scores[self._order]
        self._positive = np.flatnonzero(positive)
        self._below = np.searchsorted(ranked, scores[positive])  # photos with a lower score
        self._upto = np.searchsorted(ranked, scores[positive], side="right")

    def area(self, weights: Weights) -> Floats:
        """Area under the ROC curve for each row of weights, [B]; NaN where one kind of photo is missing.

        Each positive photo beats all photos below it and half of its equals; what positive ones win against positive
        ones, half of their pairs, is taken off again.
        """
        sums = np.zeros((len(weights), weights.shape[1] + 1), np.int64)
        np.cumsum(np.take(weights, self._order, axis=1), axis=1, out=sums[:, 1:])
        positive = np.take(weights, self._positive, axis=1).astype(np.float64)
        wins = np.take(sums, self._below, axis=1) + np.take(sums, self._upto, axis=1)
        count = positive.sum(axis=1)
        pairs = count * (sums[:, -1] - count)
        won = (np.einsum("bp,bp->b", positive, wins) - count**2) / 2
        return np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)


def _mean(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """The mean of each row over what is counted, [B, 1]; 0 where nothing is."""
    sums = (values * counted).sum(axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(counted.sum(axis=1, keepdims=True), 1), np.float64)
