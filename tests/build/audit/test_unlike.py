"""Photos that are unlike all others."""

import numpy as np
import pytest
from numpy.typing import NDArray

from petpark.build.audit import unlike
from petpark.build.audit.material import UNSETTLED
from tests.build.audit.planted import identity, kept

IDS = [identity(str(number).encode()) for number in range(300)]


def cones(seed: int = 0) -> NDArray[np.float32]:
    """Features [300, 16] around two directions."""
    rng = np.random.default_rng(seed)
    values = 4 * np.eye(2, 16)[np.arange(300) % 2] + 0.5 * rng.normal(size=(300, 16))
    return np.asarray(values, np.float32)


def strange(values: NDArray[np.float32], groups: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    groups = np.arange(300) if groups is None else groups
    return unlike.strangeness(unlike.distances(kept(values), IDS, groups), np.arange(300) % 2)


def test_a_photo_that_is_unlike_all_others_stands_out() -> None:
    values = cones()
    values[7] = -5 * np.eye(16)[5]
    found = strange(values)
    assert found.argmax() == 7
    assert found[7] > unlike.FAR


def test_few_of_usual_photos_stand_out() -> None:
    assert (strange(cones()) > unlike.FAR).sum() <= 3


def test_strangers_that_look_alike_do_not_vouch_for_one_another() -> None:
    values, groups = cones(), np.arange(300)
    values[:12] = -5 * np.eye(16, dtype=np.float32)[5]
    assert strange(values)[:12].max() < unlike.FAR
    groups[:12] = 0
    assert strange(values, groups)[:12].min() > unlike.FAR


def test_what_is_usual_depends_on_the_label() -> None:
    distance = np.array([*np.linspace(0.1, 0.2, 50), *np.linspace(0.6, 0.8, 50), 0.7], np.float64)
    targets = np.array([0] * 50 + [1] * 50 + [0])
    found = unlike.strangeness(distance, targets)
    assert np.flatnonzero(found > unlike.FAR).tolist() == [100]  # at 0.7 only among the first label's photos


def test_the_score_is_the_modified_z_score() -> None:
    distance = np.array([*range(21), 100], np.float64)
    median = np.median(distance)
    spread = 1.4826 * np.median(np.abs(distance - median))
    found = unlike.strangeness(distance, np.zeros(22, np.int64))
    assert found[-1] == round((100 - median) / spread, 2)


def test_nothing_is_said_where_nothing_can_be_known() -> None:
    assert not unlike.strangeness(np.r_[np.zeros(18), 9.0], np.zeros(19, np.int64)).any(), "a rare label"
    assert not unlike.strangeness(np.r_[np.zeros(40), 9.0], np.zeros(41, np.int64)).any(), "all are equally far"
    assert not unlike.strangeness(np.arange(40, dtype=np.float64), np.full(40, UNSETTLED)).any(), (
        "photos without a label"
    )
    assert len(unlike.strangeness(np.zeros(0), np.zeros(0, np.int64))) == 0


def test_distances_are_to_the_tenth_nearest_by_the_cosine() -> None:
    values = cones()
    unit = values.astype(np.float16).astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    expected = 1 - np.sort(cosines, axis=1)[:, -10]
    found = unlike.distances(kept(values), IDS, np.arange(300))
    assert np.abs(found - expected).max() < 1e-3


def test_the_nearest_are_sought_among_the_photos_with_the_smallest_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlike, "_REFERENCE", 60)
    values = cones()
    few = unlike.distances(kept(values), IDS, np.arange(300))
    rest = np.argsort(IDS)[60:]
    values[rest] = cones(1)[rest]
    other = unlike.distances(kept(values), IDS, np.arange(300))
    known = np.argsort(IDS)[:60]
    assert np.array_equal(few[known], other[known])
    assert not np.array_equal(few[rest], other[rest])


def test_few_photos_are_no_trouble() -> None:
    values = cones()[:4]
    assert np.isfinite(unlike.distances(kept(values), IDS[:4], np.arange(4))).all()
    assert len(unlike.distances(kept(values[:0]), [], np.zeros(0, np.int64))) == 0
    zero = np.zeros((4, 16), np.float32)
    assert np.isfinite(unlike.distances(kept(zero), IDS[:4], np.arange(4))).all()
