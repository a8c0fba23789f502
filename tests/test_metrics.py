"""Figures against sklearn and textbook formulas, their intervals against plain resampling, and the odd cases."""

import math
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from petpark import metrics
from petpark.errors import DataError, ModelError
from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import Figures
from petpark.resampling import Judged, draw

Photos = tuple[NDArray[np.int64], NDArray[np.float32]]


def photos(n: int, k: int, seed: int = 0, margin: float = 1.5) -> Photos:
    """Draw truths and the probabilities of a model that is better with a larger margin."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), truth] += margin
    odds = np.exp(scores)
    return truth, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def names(k: int) -> tuple[str, ...]:
    return tuple(f"label {place}" for place in range(k))


def prices(k: int) -> NDArray[np.float64]:
    return np.arange(1.0, k * k + 1).reshape(k, k) * (1 - np.eye(k))


def measured(truth: NDArray[np.int64], probabilities: NDArray[np.float32], resamples: int = 100) -> Figures:
    k = probabilities.shape[1]
    return metrics.measure(truth, probabilities, names(k), prices(k), resamples=resamples, seed=1)


@st.composite
def any_photos(draw: st.DrawFn) -> Photos:
    """Few photos with coarse scores: one photo, absent labels, never predicted ones and ties all come up."""
    n, k = draw(st.integers(1, 25)), draw(st.integers(2, 5))
    truth = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    rows = st.lists(st.integers(0, 3), min_size=k, max_size=k).filter(any)
    scores = np.array(draw(st.lists(rows, min_size=n, max_size=n)), np.float64)
    return np.array(truth), (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_figures_are_those_of_sklearn(k: int) -> None:
    truth, probabilities = photos(500, k)
    predicted = probabilities.argmax(axis=1)
    found = measured(truth, probabilities)
    per_label = reference.precision_recall_fscore_support(truth, predicted, labels=range(k))
    macro = reference.precision_recall_fscore_support(truth, predicted, average="macro")
    assert found.accuracy.value == pytest.approx(reference.accuracy_score(truth, predicted), abs=1e-6)
    for place, each in enumerate(found.classes):
        values = [each.precision.value, each.recall.value, each.f1.value, each.photos]
        assert values == pytest.approx([figures[place] for figures in per_label], abs=1e-6)
    assert [found.precision.value, found.recall.value, found.f1.value] == pytest.approx(macro[:3], abs=1e-6)
    assert np.array_equal(found.confusion, reference.confusion_matrix(truth, predicted))


@pytest.mark.parametrize("k", [2, 3, 7])
@pytest.mark.parametrize("steps", [4, 1000])
def test_roc_auc_is_that_of_sklearn_with_many_ties_and_with_few(k: int, steps: int) -> None:
    truth, probabilities = photos(300, k)
    coarse = np.round(probabilities * steps) + 1
    coarse = (coarse / coarse.sum(axis=1, keepdims=True)).astype(np.float64)
    scores = coarse[:, 1] if k == 2 else coarse
    expected = reference.roc_auc_score(truth, scores, multi_class="ovr", average="macro")
    found = metrics.measure(truth, coarse, names(k), prices(k), resamples=100, seed=0)
    assert found.roc_auc.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("steps", [3, 1000])
def test_roc_auc_of_a_resample_is_the_weighted_one(steps: int) -> None:
    truth, probabilities = photos(200, 2)
    coarse = (np.round(probabilities * steps) / steps).astype(np.float64)
    weights = next(draw(200, 20, seed=3))
    found = Judged(truth, coarse, prices(2)).figures(weights)["roc_auc"][:, 0]
    expected = [reference.roc_auc_score(truth, coarse[:, 1], sample_weight=row) for row in weights]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [2, 4])
def test_brier_is_the_squared_distance_summed_over_labels(k: int) -> None:
    truth, probabilities = photos(300, k)
    found = measured(truth, probabilities).brier.value
    by_hand = sum((probabilities[:, place] - (truth == place)) ** 2 for place in range(k)).mean()
    assert found == pytest.approx(by_hand, abs=1e-5)
    if k == 2:
        assert found == pytest.approx(2 * reference.brier_score_loss(truth, probabilities[:, 1]), abs=1e-5)


def test_calibration_error_is_the_weighted_gap_of_fifteen_bins() -> None:
    truth, probabilities = photos(400, 3, margin=0.8)
    confidence, hit = probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == truth
    edges, error = np.linspace(0, 1, 16), 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    found = measured(truth, probabilities)
    assert found.calibration_error.value == pytest.approx(error, abs=1e-6)
    bins = metrics.reliability(truth, probabilities)
    again = sum(each.photos * abs(each.confidence - each.accuracy) for each in bins) / 400
    assert again == pytest.approx(error, abs=1e-5)
    assert sum(each.photos for each in bins) == 400
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)


def test_cost_prices_each_mistake_by_the_matrix() -> None:
    truth, probabilities = photos(300, 3)
    matrix, predicted = prices(3), probabilities.argmax(axis=1)
    by_hand = 1000 * sum(matrix[t, p] for t, p in zip(truth, predicted, strict=True)) / 300
    found = measured(truth, probabilities)
    assert found.cost.value == pytest.approx(by_hand, abs=1e-5)
    assert metrics.expected_cost(found.confusion, matrix.tolist()) == pytest.approx(by_hand)
    assert metrics.expected_cost([[0, 0], [0, 0]], [[0, 1], [1, 0]]) == 0.0


def test_rate_ratio_is_predicted_to_true_frequency() -> None:
    truth = np.array([0] * 100 + [1] * 100)
    answers = np.array([0] * 100 + [0] * 30 + [1] * 70)
    found = measured(truth, np.eye(2, dtype=np.float32)[answers])
    assert [each.rate_ratio.value for each in found.classes] == [1.3, 0.7]
    assert found.classes[0].rate_ratio.low > 1.15
    assert found.recall_gap.value == pytest.approx(0.3)


def test_the_interval_is_that_of_resampled_photos() -> None:
    truth, probabilities = photos(120, 3)
    found = metrics.measure(truth, probabilities, names(3), prices(3), resamples=200, seed=7)
    weights = np.concatenate(list(draw(120, 200, seed=7)))
    again = [np.repeat(np.arange(120), row) for row in weights]
    each = [measured(truth[rows], probabilities[rows], 1) for rows in again]
    for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "brier", "cost"):
        low, high = np.percentile([getattr(one, name).value for one in each], [2.5, 97.5])
        estimate = getattr(found, name)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=2e-6), name
    ratio = [one.classes[2].rate_ratio.value for one in each]
    estimate = found.classes[2].rate_ratio
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.percentile(ratio, [2.5, 97.5])), abs=2e-6)


def test_nineteen_of_twenty_intervals_hold_the_true_value() -> None:
    rng, held = np.random.default_rng(5), 0
    for seed in range(200):
        truth = rng.integers(0, 2, 250)
        answers = np.where(rng.random(250) < 0.9, truth, 1 - truth)
        accuracy = metrics.measure(
            truth, np.eye(2, dtype=np.float32)[answers], names(2), prices(2), resamples=200, seed=seed
        ).accuracy
        held += accuracy.low <= 0.9 <= accuracy.high
    assert 0.91 <= held / 200 <= 0.98


def test_the_recall_gap_of_equal_labels_reaches_below_zero() -> None:
    truth = np.repeat([0, 1], 100)
    answers = np.r_[np.zeros(95, int), np.ones(5, int), np.ones(95, int), np.zeros(5, int)]
    gap = measured(truth, np.eye(2, dtype=np.float32)[answers], 500).recall_gap
    assert gap.value == 0
    assert gap.low < -0.02
    assert gap.high > 0.02


def test_the_same_seed_gives_the_same_figures_and_another_one_other_intervals() -> None:
    truth, probabilities = photos(200, 3)
    assert measured(truth, probabilities) == measured(truth, probabilities)
    other = metrics.measure(truth, probabilities, names(3), prices(3), resamples=100, seed=2)
    assert other.accuracy.value == measured(truth, probabilities).accuracy.value
    assert other.accuracy != measured(truth, probabilities).accuracy


def test_resamples_do_not_depend_on_how_they_are_chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, probabilities = photos(200, 3)
    whole = measured(truth, probabilities)
    monkeypatch.setattr("petpark.resampling._HELD", 1000)
    assert [len(weights) for weights in draw(200, 12, 0)] == [5, 5, 2]
    assert measured(truth, probabilities) == whole


def test_memory_stays_bounded_on_many_photos() -> None:
    truth, probabilities = photos(100_000, 2)
    tracemalloc.start()
    try:
        metrics.measure(truth, probabilities, names(2), prices(2), resamples=100, seed=0)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


@given(any_photos())
@settings(max_examples=150, deadline=None)
def test_every_figure_is_a_number_inside_its_interval(drawn: Photos) -> None:
    truth, probabilities = drawn
    found = measured(truth, probabilities, 20)
    estimates = [value for _, value in found]
    estimates += [getattr(each, name) for each in found.classes for name in ("precision", "recall", "f1", "rate_ratio")]
    for estimate in estimates:
        if isinstance(estimate, Estimate):
            assert all(math.isfinite(value) for value in (estimate.value, estimate.low, estimate.high))
            assert estimate.low <= estimate.value <= estimate.high
    assert 0 <= found.brier.value <= 2
    assert 0 <= found.calibration_error.value <= 1
    assert 0 <= found.recall_gap.value <= 1
    assert 0 <= found.roc_auc.value <= 1
    assert sum(map(sum, found.confusion)) == found.photos == len(truth)
    assert [sum(row) for row in found.confusion] == [each.photos for each in found.classes]
    assert [sum(column) for column in zip(*found.confusion, strict=True)] == [each.predicted for each in found.classes]


@given(any_photos(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_values_do_not_depend_on_the_order_of_the_photos(drawn: Photos, random: object) -> None:
    truth, probabilities = drawn
    order = np.argsort([random.random() for _ in truth])  # type: ignore[attr-defined]
    one, other = measured(truth, probabilities, 5), measured(truth[order], probabilities[order], 5)
    for name, value in one:
        if isinstance(value, Estimate):
            assert value.value == pytest.approx(getattr(other, name).value, abs=2e-6)


def test_one_photo_is_enough_for_figures() -> None:
    found = measured(np.array([1]), np.array([[0.2, 0.8]], np.float32))
    assert found.accuracy == Estimate(value=1, low=1, high=1)
    assert found.roc_auc.value == 0.5
    assert found.recall_gap.value == 0


def test_a_label_without_photos_has_no_recall_and_does_not_count_in_the_macro_recall() -> None:
    truth, answers = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    found = measured(truth, np.eye(4, dtype=np.float32)[answers])
    assert [each.recall.value for each in found.classes] == [1, 0.5, 0, 0]
    assert found.recall.value == 0.75
    assert found.recall_gap.value == 0.5
    assert found.precision.value == pytest.approx((1 + 1 + 0) / 3)  # the third label was predicted, the fourth never
    assert [each.rate_ratio.value for each in found.classes] == [1, 0.5, 1, 1]


def test_a_label_that_is_never_predicted_has_precision_zero() -> None:
    found = measured(np.array([0, 1, 2, 2]), np.eye(3, dtype=np.float32)[[0, 1, 1, 0]])
    assert found.classes[2].precision.value == found.classes[2].f1.value == found.classes[2].rate_ratio.value == 0


def test_a_model_that_cannot_tell_anything_apart_has_half_the_area() -> None:
    truth = np.array([0, 1, 2] * 20)
    found = measured(truth, np.full((60, 3), 1 / 3, np.float32))
    assert found.roc_auc == Estimate(value=0.5, low=0.5, high=0.5)
    assert found.classes[0].predicted == 60


def test_no_photo_is_an_error_in_one_sentence() -> None:
    with pytest.raises(DataError, match="no photo to judge"):
        measured(np.empty(0, np.int64), np.empty((0, 2), np.float32))


def test_probabilities_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(ModelError, match="no numbers"):
        measured(np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, np.nan]], np.float32))


def test_coverage_counts_photos_from_the_threshold_on() -> None:
    truth = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.75, 0.25], [0.05, 0.95]])
    found = metrics.coverage(truth, probabilities, [0.0, 0.75, 0.9, 0.99])
    assert [each.share for each in found] == [1.0, 0.75, 0.5, 0.0]
    assert [each.accuracy for each in found] == pytest.approx([0.75, 2 / 3, 1.0, 0.0], abs=1e-6)


def test_the_threshold_is_the_lowest_that_reaches_the_target() -> None:
    truth = np.zeros(5, np.int64)
    confident = np.array([0.95, 0.9, 0.8, 0.7, 0.6])
    right = np.array([True, True, True, False, True])
    probabilities = np.where(right[:, None], np.c_[confident, 1 - confident], np.c_[1 - confident, confident])
    assert metrics.choose_threshold(truth, probabilities, 0.8) == 0.0
    assert metrics.choose_threshold(truth, probabilities, 0.9) == pytest.approx(0.75)


def test_a_target_out_of_reach_gives_the_most_accurate_threshold() -> None:
    truth = np.zeros(4, np.int64)
    probabilities = np.array([[0.05, 0.95], [0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    assert metrics.choose_threshold(truth, probabilities, 0.99) == pytest.approx(0.75)
    assert metrics.choose_threshold(truth[:1], probabilities[:1], 0.99) == 0.0
    assert metrics.choose_threshold(np.empty(0, np.int64), np.empty((0, 2)), 0.99) == 0.0


@given(any_photos(), st.floats(0.1, 1.0))
@settings(max_examples=200, deadline=None)
def test_photos_above_the_threshold_are_as_accurate_as_asked_or_none_are(drawn: Photos, target: float) -> None:
    truth, probabilities = drawn
    threshold = metrics.choose_threshold(truth, probabilities, target)
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    levels = [0.0, *np.unique(confidence).tolist()]
    reached = [level for level in levels if hit[confidence >= level].mean() >= target - 1e-9]
    sure = confidence >= threshold
    assert sure.any()
    if reached:
        assert hit[sure].mean() >= target - 1e-9
        assert np.array_equal(sure, confidence >= reached[0])
    else:
        assert hit[sure].mean() == max(hit[confidence >= level].mean() for level in levels)


@pytest.mark.parametrize("n", [50, 3000])
def test_the_curve_lies_on_that_of_sklearn_and_has_at_most_a_hundred_points(n: int) -> None:
    truth, probabilities = photos(n, 3)
    curves = metrics.precision_recall(truth, probabilities, names(3))
    for place, label in enumerate(names(3)):
        precision, recall, _ = reference.precision_recall_curve(truth == place, probabilities[:, place])
        known = {(round(float(r), 6), round(float(p), 6)) for r, p in zip(recall, precision, strict=True)}
        points = [(point.recall, point.precision) for point in curves[label]]
        assert set(points) <= known
        assert points == sorted(points, key=lambda point: point[0])
        assert points[-1][0] == 1.0
        assert len(points) == min((truth == place).sum(), 100)


def test_a_label_without_photos_has_no_curve() -> None:
    truth, probabilities = photos(30, 3)
    truth[truth == 2] = 0
    assert list(metrics.precision_recall(truth, probabilities, names(3))) == ["label 0", "label 1"]


def test_a_share_has_the_interval_of_wilson() -> None:
    found = metrics.share_interval(np.array([True] * 18 + [False] * 2))
    assert (found.low, found.high) == pytest.approx((0.698966, 0.972135), abs=1e-5)  # Newcombe 1998, method 3: n = 20
    sure = metrics.share_interval(np.ones(10, bool))
    assert sure.value == sure.high == 1
    assert sure.low == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)
    assert metrics.share_interval(np.zeros(10, bool)).high == pytest.approx(1 - sure.low)
    assert metrics.share_interval(np.empty(0, bool)) == Estimate(value=0, low=0, high=1)


def test_a_paired_gain_ignores_what_both_models_share() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 500)
    champion = np.where(rng.random(500) < 0.7, truth, (truth + 1) % 3)
    challenger = champion.copy()
    challenger[np.flatnonzero(champion != truth)[:20]] = truth[np.flatnonzero(champion != truth)[:20]]
    gain = metrics.paired_gain(truth, champion, challenger, prices(3), resamples=500, seed=0)
    assert gain.accuracy.value == pytest.approx(0.04)
    assert gain.challenger_accuracy - gain.champion_accuracy == pytest.approx(0.04)
    assert gain.accuracy.low > 0.02  # apart, the two intervals would overlap: each is 8 points wide
    before, after = (metrics.confusion(truth, answers, 3) for answers in (champion, challenger))
    saved = metrics.expected_cost(before, prices(3)) - metrics.expected_cost(after, prices(3))
    assert gain.cost.value == pytest.approx(saved, abs=1e-5)
    back = metrics.paired_gain(truth, challenger, champion, prices(3), resamples=500, seed=0)
    assert back.accuracy.high == -gain.accuracy.low


def test_equal_models_gain_nothing() -> None:
    answers = np.array([0, 1, 1])
    gain = metrics.paired_gain(np.array([0, 1, 0]), answers, answers, prices(2), resamples=100, seed=0)
    assert gain.accuracy == gain.cost == Estimate(value=0, low=0, high=0)
