"""Slices: every photo is in one part of each property, and the parts say what they hold."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from petpark import lake, metrics
from petpark.build.slices import slices
from petpark.evidence.evaluation import Slice
from petpark.lake import Photos

PROPERTIES = ("brightness", "contrast", "size", "shape", "colour", "batch")


def photos(count: int, **columns: Iterable[object]) -> Photos:
    """So many photos that are alike but for the given columns."""
    plain = {"batch": "one", "width": 640, "height": 480, "brightness": 0.5, "contrast": 0.2, "saturation": 0.3}
    rows = [plain | {"id": f"{number:064x}"} for number in range(count)]
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return Photos(pa.Table.from_pylist(rows, schema=lake.SPLIT))


def parts(found: tuple[Slice, ...], name: str) -> dict[str, int]:
    """Photos by the value of one property, in order."""
    return {part.value: part.photos for part in found if part.name == name}


def right(count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(count, bool)


def test_brightness_and_contrast_are_cut_into_thirds() -> None:
    light = np.arange(1, 10) / 10
    found = slices(photos(9, brightness=light, contrast=light[::-1]), right(9))
    assert parts(found, "brightness") == {
        "dark (under 0.37)": 3,
        "medium (0.37 to 0.63)": 3,
        "bright (over 0.63)": 3,
    }
    assert list(parts(found, "contrast").values()) == [3, 3, 3]
    assert next(iter(parts(found, "contrast"))).startswith("flat")


def test_size_is_the_side_of_a_square_of_the_same_area() -> None:
    found = slices(photos(6, width=[100, 100, 400, 400, 900, 900], height=[100, 100, 100, 100, 900, 900]), right(6))
    assert parts(found, "size") == {"small (under 167 px)": 2, "medium (167 px to 433 px)": 2, "large (over 433 px)": 2}


def test_figures_that_are_equal_stay_together() -> None:
    found = slices(photos(7), right(7))
    assert parts(found, "brightness") == {"medium (0.50 to 0.50)": 7}
    assert parts(found, "size") == {"medium (554 px to 554 px)": 7}


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(640, 480, "landscape"), (480, 640, "portrait"), (500, 500, "square"), (549, 500, "square"), (500, 549, "square")],
)
def test_shape_is_told_from_the_whole_photo(width: int, height: int, shape: str) -> None:
    assert parts(slices(photos(1, width=[width], height=[height]), right(1)), "shape") == {shape: 1}


def test_grey_photos_are_apart_from_those_with_colour() -> None:
    found = slices(photos(4, saturation=[0.0, 0.019, 0.021, 0.6]), right(4))
    assert parts(found, "colour") == {"grey": 2, "colour": 2}


def test_batches_come_by_name() -> None:
    found = slices(photos(5, batch=["b", "a", "b", "c", "b"]), right(5))
    assert parts(found, "batch") == {"a": 1, "b": 3, "c": 1}
    assert list(parts(found, "batch")) == ["a", "b", "c"]


def test_accuracy_is_that_of_the_part_with_its_interval() -> None:
    hits = np.array([True, False, True, True, False])
    found = slices(photos(5, batch=["a", "a", "a", "b", "b"]), hits)
    accuracy = {part.value: part.accuracy for part in found if part.name == "batch"}
    assert accuracy == {"a": metrics.share_interval(hits[:3]), "b": metrics.share_interval(hits[3:])}
    assert accuracy["a"].value == pytest.approx(2 / 3, abs=1e-5)


@given(
    light=arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 1, width=32)),
    data=st.data(),
)
def test_every_photo_is_in_exactly_one_part_of_each_property(
    light: np.ndarray[tuple[int], np.dtype[np.float32]], data: st.DataObject
) -> None:
    count = len(light)
    sides = st.lists(st.integers(16, 4000), min_size=count, max_size=count)
    given_photos = photos(
        count, brightness=light, contrast=light[::-1], saturation=light, width=data.draw(sides), height=data.draw(sides)
    )
    hits = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    found = slices(given_photos, hits)
    assert tuple(dict.fromkeys(part.name for part in found)) == PROPERTIES
    for name in PROPERTIES:
        mine = [part for part in found if part.name == name]
        assert sum(part.photos for part in mine) == count
        assert all(part.photos for part in mine)
        assert sum(part.photos * part.accuracy.value for part in mine) == pytest.approx(hits.sum(), abs=1e-3)
