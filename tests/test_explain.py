"""Occlusion maps find what a model looks at, and neighbours are the nearest ones."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from petpark import explain
from petpark.classifier import Classifier
from petpark.images import Pixels
from tests import models
from tests.conftest import draw

BRIGHT, DARK = 0, 1
SIZE = 32


@pytest.fixture(scope="module")
def corner(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A model that looks at the quarter at the top left, and calls it bright or dark."""
    card = models.card(("bright", "dark"), image_size=SIZE)
    path = tmp_path_factory.mktemp("corner") / "model.onnx"
    return Classifier(models.save(path, models.corner(SIZE), card, size=SIZE, labels=2, embedding=1))


def lit(row: int, column: int, side: int = SIZE // 2) -> Pixels:
    """A black picture with one white square, whose top left is given."""
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[row : row + side, column : column + side] = 255
    return pixels


def opened(png: bytes) -> NDArray[np.int64]:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image).astype(np.int64)


@pytest.mark.parametrize("grid", [4, 8, 16])
def test_the_map_is_warm_where_the_model_looks_and_nil_elsewhere(corner: Classifier, grid: int) -> None:
    falls = explain.occlusion(corner, lit(0, 0), BRIGHT, grid)
    assert falls.shape == (grid, grid)
    half = grid // 2
    assert (falls[:half, :half] > 0).all()
    assert np.abs(falls[half + 1 :, :]).max() < 1e-6
    assert np.abs(falls[:, half + 1 :]).max() < 1e-6


def test_what_speaks_against_a_label_is_negative(corner: Classifier) -> None:
    warm = explain.occlusion(corner, lit(0, 0), BRIGHT)
    cold = explain.occlusion(corner, lit(0, 0), DARK)
    assert np.allclose(warm, -cold, atol=1e-6)
    assert cold.min() < -0.01


def test_a_fall_is_what_the_patch_takes_away(corner: Classifier) -> None:
    # the patch of cell (1, 1) covers 8 x 8 of the 16 x 16 white pixels, and puts a quarter of the light there
    falls = explain.occlusion(corner, lit(0, 0), BRIGHT)
    assert falls[1, 1] == pytest.approx((1 - 63 / 255) * 64 / 256, abs=1e-6)


@pytest.mark.parametrize("grid", [5, 8])
def test_the_map_of_a_turned_photo_is_the_turned_map(grid: int, tmp_path: Path) -> None:
    path = models.save(tmp_path / "m.onnx", metadata=models.card(image_size=SIZE), size=SIZE)
    classifier, pixels = Classifier(path), np.asarray(draw(1, width=SIZE, height=SIZE))
    falls = explain.occlusion(classifier, pixels, 0, grid)
    around = explain.occlusion(classifier, np.ascontiguousarray(pixels[::-1, ::-1]), 0, grid)
    assert np.allclose(around, falls[::-1, ::-1], atol=2e-3 if SIZE % grid else 1e-6)


def test_a_photo_of_one_colour_has_an_empty_map(corner: Classifier) -> None:
    falls = explain.occlusion(corner, np.full((SIZE, SIZE, 3), 90, np.uint8), BRIGHT)
    assert not falls.any()
    assert np.ptp(opened(explain.overlay(np.full((SIZE, SIZE, 3), 90, np.uint8), falls, 40, 30))) == 0


def test_the_photo_itself_is_left_as_it_is(corner: Classifier) -> None:
    pixels = lit(0, 0)
    explain.occlusion(corner, pixels, BRIGHT)
    assert (pixels == lit(0, 0)).all()


@pytest.mark.parametrize(("width", "height"), [(192, 144), (20, 192), (1, 1)])
def test_the_overlay_is_a_png_of_the_asked_size(width: int, height: int) -> None:
    falls = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    png = explain.overlay(lit(0, 0), falls, width, height)
    assert opened(png).shape == (height, width, 3)
    assert png == explain.overlay(lit(0, 0), falls, width, height)


def test_the_overlay_is_orange_where_it_speaks_for_and_blue_where_against() -> None:
    falls = np.zeros((8, 8), np.float32)
    falls[:, :4], falls[:, 4:] = 0.2, -0.2
    pixels = opened(explain.overlay(np.full((SIZE, SIZE, 3), 128, np.uint8), falls, 64, 64))
    left, right = pixels[:, :16].mean((0, 1)), pixels[:, 48:].mean((0, 1))
    assert left[0] > left[1] > left[2]
    assert right[2] > right[1] > right[0]


def test_under_no_heat_the_photo_is_there_in_grey() -> None:
    falls = np.zeros((8, 8), np.float32)
    falls[0, 0] = 1
    pixels = opened(explain.overlay(lit(16, 16), falls, SIZE, SIZE))
    assert (pixels[20:, 20:] >= 250).all()
    assert (pixels[20:, :8] <= 5).all()


def turned(*degrees: float, length: float = 1.0) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    return (length * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32)


def test_neighbours_are_the_nearest_by_angle_the_most_similar_first() -> None:
    known = turned(0, 90, 10, 180, 45)
    rows, cosines = explain.nearest(turned(0, 85, length=7.0), known, 3)
    assert rows.tolist() == [[0, 2, 4], [1, 4, 2]]
    assert cosines[0] == pytest.approx(np.cos(np.radians([0, 10, 45])), abs=1e-6)
    assert cosines[1] == pytest.approx(np.cos(np.radians([5, 40, 75])), abs=1e-6)


def test_neighbours_agree_with_a_plain_search() -> None:
    rng = np.random.default_rng(1)
    query, known = (rng.normal(size=(count, 5)).astype(np.float32) for count in (20, 300))
    rows, cosines = explain.nearest(query, known, 4)
    for one, found, scores in zip(query, rows, cosines, strict=True):
        by_hand = np.array([one @ other / np.linalg.norm(one) / np.linalg.norm(other) for other in known])
        assert found.tolist() == np.argsort(-by_hand)[:4].tolist()
        assert scores == pytest.approx(by_hand[found], abs=1e-5)


def test_of_equals_the_first_comes_first() -> None:
    known = np.tile(turned(30), (6, 1))
    rows, _ = explain.nearest(turned(30, 31), known, 4)
    assert rows.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_an_embedding_of_zeros_is_like_nothing() -> None:
    rows, cosines = explain.nearest(np.zeros((1, 2), np.float32), turned(0, 90), 2)
    assert (rows.tolist(), cosines.tolist()) == ([[0, 1]], [[0.0, 0.0]])


@pytest.mark.parametrize(("asked", "known", "found"), [(0, 5, 3), (2, 0, 0), (2, 2, 2)])
def test_where_there_are_few_there_are_few_neighbours(asked: int, known: int, found: int) -> None:
    rows, cosines = explain.nearest(np.ones((asked, 2), np.float32), np.ones((known, 2), np.float32), 3)
    assert rows.shape == cosines.shape == (asked, found)
    assert rows.dtype == np.int64
