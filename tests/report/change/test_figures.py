"""Base against head: paired where both answered the same photos, else by both intervals; and who wins."""

import math
from typing import Any

import numpy as np
import pytest

from petpark.config.policy import Cost
from petpark.evidence.core import Estimate
from petpark.metrics import share_interval
from petpark.report.change import figures
from petpark.report.change.figures import Move
from tests.report import made
from tests.report.change.sides import new, old
from tests.test_gate import counted

COST = Cost()
WORSE = counted([[138, 6, 6], [6, 138, 6], [6, 6, 138]])  # 414 of 450 right, and 432 in the healthy evidence


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high)


def by_name(before: dict[str, Any] | None, after: dict[str, Any] | None = None, cost: Cost = COST) -> dict[str, Move]:
    base = None if before is None else old(before).evaluation
    found = new(after)
    return {each.name: each for each in figures.moves(base, found.evaluation, found.comparison, cost)}


@pytest.mark.parametrize(
    ("gain", "less_is_better", "winner"),
    [
        ((0.02, 0.01, 0.03), False, "better"),
        ((-0.02, -0.03, -0.01), False, "worse"),
        ((0.02, -0.01, 0.05), False, "tie"),
        ((0.02, 0.0, 0.05), False, "tie"),
        ((0.0, 0.0, 0.0), False, "tie"),
        ((0.02, 0.01, 0.03), True, "worse"),
        ((-0.02, -0.03, -0.01), True, "better"),
        ((-0.02, -0.05, 0.0), True, "tie"),
    ],
)
def test_a_difference_counts_only_beyond_its_interval(
    gain: tuple[float, float, float], less_is_better: bool, winner: str
) -> None:
    figure = estimate(0.5, 0.4, 0.6)
    assert Move("x", "share", figure, figure, estimate(*gain), less_is_better).winner == winner


def test_without_a_base_nobody_wins() -> None:
    assert {each.winner for each in by_name(None, {"comparison": None}).values()} == {None}


def test_figures_apart_are_as_far_as_both_intervals_let_them() -> None:
    found = figures.apart(estimate(0.8, 0.74, 0.85), estimate(0.9, 0.86, 0.93))
    assert math.isclose(found.value, 0.1)
    assert math.isclose(found.low, 0.1 - math.hypot(0.04, 0.05))
    assert math.isclose(found.high, 0.1 + math.hypot(0.03, 0.06))


def test_equal_models_on_other_photos_seldom_seem_to_differ() -> None:
    rng = np.random.default_rng(5)
    beyond = 0
    for _ in range(2000):
        base, head = (share_interval(rng.random(300) < 0.93) for _ in range(2))
        gain = figures.apart(base, head)
        beyond += not gain.low <= 0 <= gain.high
    assert 0.03 < beyond / 2000 < 0.07, "an interval of 95% leaves out the truth in 5% of cases"


def test_accuracy_and_cost_are_paired_where_the_champion_is_the_bases_model() -> None:
    found = by_name({})
    assert found["accuracy"].paired
    assert found["accuracy"].gain == new().comparison.accuracy_gain  # type: ignore[union-attr]
    cost = found["cost per 1,000 photos"]
    assert (cost.gain, cost.paired) == (estimate(-5, -15, 5), True), "what is saved is a cost that went down"
    assert [name for name, each in found.items() if each.paired] == ["accuracy", "cost per 1,000 photos"]


def test_another_champion_says_nothing_about_the_base() -> None:
    found = by_name({"evaluation.model.sha256": "7" * 64})
    assert not any(each.paired for each in found.values())
    assert found["accuracy"].gain == figures.apart(old().evaluation.accuracy, new().evaluation.accuracy)


def test_both_sides_are_priced_by_one_policy() -> None:
    dear = Cost.model_validate({"mistake": 3.0})
    found = by_name(WORSE | {"validation.classes": []}, {"comparison": None}, dear)["cost per 1,000 photos"]
    assert found.base == estimate(240, 240, 240), "36 of 450 mistakes at 3 each, and no interval of these prices"
    assert found.head == estimate(120, 120, 120)
    assert (found.gain, found.winner) == (None, None)


def test_a_saving_by_other_prices_is_not_told() -> None:
    assert by_name({}, None, Cost.model_validate({"mistake": 3.0}))["cost per 1,000 photos"].gain is None


def test_labels_are_paired_by_their_names_and_come_the_worst_first() -> None:
    base = made.evaluation(("ant", "bat", "cow"), seed=1)
    head = made.evaluation(("bat", "cow", "doe"), seed=2)
    found = figures.labels(base, head)
    recalls = [each.head.recall.value for each in found if each.head]
    assert recalls == sorted(recalls)
    assert {each.label: (each.base is not None, each.head is not None) for each in found} == {
        "bat": (True, True),
        "cow": (True, True),
        "doe": (False, True),
        "ant": (True, False),
    }
    assert found[-1].label == "ant"
    known = next(each for each in found if each.label == "cow")
    assert known.recall is not None
    assert known.base is not None
    assert known.head is not None
    assert known.recall.gain == figures.apart(known.base.recall, known.head.recall)
    assert next(each for each in found if each.label == "doe").recall == Move(
        "recall", "share", None, next(each for each in head.classes if each.label == "doe").recall, None
    )


def test_a_label_without_test_photos_has_no_figures() -> None:
    bare = counted([[150, 0, 0], [0, 150, 0], [0, 0, 0]])
    last = figures.labels(old().evaluation, new(bare).evaluation)[-1]
    assert (last.label, last.recall, last.precision) == ("cedar", None, None)
    back = next(each for each in figures.labels(old(bare).evaluation, new().evaluation) if each.label == "cedar")
    assert back.recall is not None
    assert back.recall.base is None


def test_kinds_of_photos_are_the_same_where_only_their_bounds_moved() -> None:
    base = old({"evaluation.slices.0.value": "dark (under 0.47)"}).evaluation
    (found,) = figures.slices(base, new().evaluation)
    assert (found.name, found.value, found.photos) == ("brightness", "dark (under 0.31)", 60)
    assert found.accuracy.gain is not None
    (other,) = figures.slices(old({"evaluation.slices.0.value": "bright (over 0.47)"}).evaluation, new().evaluation)
    assert other.accuracy.gain is None
