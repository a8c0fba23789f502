"""Label suspects: folds that keep look-alikes together, and confident learning on what probes say."""

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from petpark.build import probe
from petpark.build.audit import suspects
from petpark.build.audit.material import UNSETTLED
from tests.build.audit.planted import identity, kept

EACH = 60


def ids(count: int) -> list[str]:
    return [identity(str(number).encode()) for number in range(count)]


def clouds(labels: int = 3, *, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features [N, 16] in one cloud for each label, and the true labels [N]."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(labels), EACH)
    return (4 * np.eye(labels, 16)[truth] + rng.normal(size=(len(truth), 16))).astype(np.float32), truth


def asked(values: NDArray[np.float32], targets: NDArray[np.int64], labels: int = 3) -> suspects.Opinions:
    n = len(targets)
    probabilities = suspects.out_of_fold(kept(values), targets, ids(n), np.arange(n), labels)
    return suspects.opinions(probabilities, targets)


def test_folds_are_of_about_the_same_size_and_depend_on_ids_alone() -> None:
    names, groups = ids(2000), np.arange(2000)
    found = suspects.folds(names, groups)
    assert found.min() == 0
    assert found.max() == suspects.FOLDS - 1
    assert np.bincount(found).min() > 330
    turned = suspects.folds(names[::-1], groups)[::-1]
    assert found.tolist() == turned.tolist()
    assert found[:9].tolist() == [3, 2, 2, 0, 3, 3, 1, 0, 4]  # the same on every machine


def test_look_alikes_are_in_one_fold() -> None:
    groups = np.arange(300) // 3
    found = suspects.folds(ids(300), groups).reshape(-1, 3)
    assert (found == found[:, :1]).all()
    assert len(np.unique(found)) == suspects.FOLDS


@pytest.mark.parametrize("labels", [2, 3, 7])
def test_planted_wrong_labels_are_found_and_come_first(labels: int) -> None:
    values, truth = clouds(labels)
    wrong = np.arange(5, len(truth), 23)
    targets = truth.copy()
    targets[wrong] = (truth[wrong] + 1) % labels
    found = asked(values, targets, labels)
    assert found.confident[wrong].mean() >= 0.6
    assert np.isin(np.flatnonzero(found.confident), wrong).all()
    assert found.other[wrong][found.confident[wrong]].tolist() == truth[wrong][found.confident[wrong]].tolist()
    first = np.argsort(-found.margin, kind="stable")[: len(wrong)]
    assert np.isin(first, wrong).all()


def test_clean_labels_raise_next_to_no_suspicion() -> None:
    assert not asked(*clouds()).confident.any()


def test_a_wrong_label_that_look_alikes_share_is_found_where_they_are_held_out_together() -> None:
    values, truth = clouds()
    twins = np.arange(20)  # copies of one photo, all under the same wrong label
    values[twins] = 4 * np.eye(16, dtype=np.float32)[0] + 12 * np.eye(16, dtype=np.float32)[9]
    targets, groups = truth.copy(), np.arange(len(truth))
    targets[twins], groups[twins] = 1, 0

    def confident(groups: NDArray[np.int64]) -> int:
        probabilities = suspects.out_of_fold(kept(values), targets, ids(len(truth)), groups, 3)
        return int(suspects.opinions(probabilities, targets).confident[twins].sum())

    assert confident(groups) == len(twins)
    assert confident(np.arange(len(truth))) == 0  # apart, they vouch for one another


def test_a_photo_under_several_labels_is_judged_and_not_learned_from() -> None:
    values, truth = clouds()
    targets = truth.copy()
    targets[:2] = UNSETTLED
    moved = values.copy()
    moved[:2] *= 100
    n = len(truth)
    before, after = (suspects.out_of_fold(kept(each), targets, ids(n), np.arange(n), 3)[2:] for each in (values, moved))
    assert np.array_equal(before, after)
    found = asked(values, targets)
    assert found.other[:2].tolist() == truth[:2].tolist()


def test_nothing_is_said_of_a_rare_label_and_it_is_proposed_for_no_photo() -> None:
    values, truth = clouds()
    few = np.flatnonzero(truth == 2)[: suspects.FEWEST - 1]
    keep = np.flatnonzero((truth != 2) | np.isin(np.arange(len(truth)), few))
    values, targets = values[keep], truth[keep].copy()
    wrong = np.flatnonzero(targets == 2)[:3]
    targets[wrong] = 0
    found = asked(values, targets)
    assert not found.confident[targets == 2].any()
    assert (found.margin[targets == 2] < 0).all()
    assert not (found.other[found.confident] == 2).any()


def test_one_label_alone_raises_no_suspicion() -> None:
    values, truth = clouds(1)
    found = asked(values, truth, 1)
    assert not found.confident.any()
    assert (found.margin <= 0).all()


def test_no_photo_gives_no_opinion() -> None:
    found = suspects.opinions(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    assert len(found.other) == len(found.margin) == len(found.confident) == 0


def test_thresholds_and_margins_are_those_of_the_definition() -> None:
    sure, unsure = [0.9, 0.1], [0.6, 0.4]
    probabilities = np.array([sure] * 20 + [unsure] * 20 + [[0.2, 0.8]] * 30 + [[0.78, 0.22]], np.float32)
    targets = np.array([0] * 40 + [1] * 31)
    limit = suspects.thresholds(probabilities, targets)
    assert limit == pytest.approx([0.75, (30 * 0.8 + 0.22) / 31])
    found = suspects.opinions(probabilities, targets)
    assert np.flatnonzero(found.confident).tolist() == [70]  # 0.78 exceeds 0.75 and 0.22
    assert found.margin[70] == pytest.approx(0.56, abs=1e-4)
    assert found.margin[:40].max() < 0


def test_the_label_believed_is_the_most_probable_of_those_above_their_thresholds() -> None:
    usual = np.repeat(np.array([[0.95, 0.03, 0.02], [0.1, 0.5, 0.4], [0.1, 0.2, 0.7]], np.float32), 20, axis=0)
    odd = np.array([[0.46, 0.52, 0.02]], np.float32)  # below label 0's threshold: only 1 is believed
    found = suspects.opinions(np.vstack([usual, odd]), np.array([*np.repeat(range(3), 20), 2]))
    assert found.confident[-1]
    assert found.other[-1] == 1
    odd = np.array([[0.7, 0.2, 0.1]], np.float32)  # nothing is believed, and the most probable is named
    found = suspects.opinions(np.vstack([usual, odd]), np.array([*np.repeat(range(3), 20), 2]))
    assert not found.confident[-1]
    assert found.other[-1] == 0


def test_a_probe_is_fitted_to_a_bounded_number_of_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspects, "_LEARNED", 50)
    values, truth = clouds()
    seen: list[int] = []
    fit = probe.fit

    def noted(head: nn.Linear, known: Tensor, targets: Tensor) -> None:
        seen.append(len(known))
        fit(head, known, targets)

    monkeypatch.setattr(probe, "fit", noted)
    asked(values, truth)
    assert seen == [50] * suspects.FOLDS
