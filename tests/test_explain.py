"""Occlusion maps find what a model looks at, and an explanation shows it on the photo."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from petpark import explain
from petpark.classifier import Classifier
from petpark.errors import DataError
from petpark.images import ImageError, Pixels
from petpark.nearest import Index
from tests import models
from tests.conftest import draw, encoded, jpeg

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
    return np.asarray(image.convert("RGB")).astype(np.int64)


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


def photo(width: int, height: int, light: tuple[float, float]) -> Image.Image:
    """A dark picture with one bright quarter, whose top left is given as shares of the sides."""
    picture = Image.new("RGB", (width, height), (10, 10, 10))
    left, top = round(light[0] * width), round(light[1] * height)
    picture.paste((245, 245, 245), (left, top, left + width // 2, top + height // 2))
    return picture


def warmth(png: bytes) -> NDArray[np.float64]:
    """How much more red than blue the four quarters of a picture are, [2, 2]."""
    pixels = opened(png)
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    red_less_blue = (pixels[:height, :width, 0] - pixels[:height, :width, 2]).reshape(2, height // 2, 2, width // 2)
    return np.asarray(red_less_blue.mean((1, 3)))


def test_a_photo_is_explained_where_its_answer_rests(corner: Classifier) -> None:
    data = encoded(photo(400, 300, (0, 0)), "PNG")
    found, said = explain.explain_photo(corner, data), corner.predict(data)
    assert (found.label, found.probability) == (said.label, said.confidence)
    assert found.label == "bright"
    assert found.nearest == ()
    heat = warmth(found.png)
    assert heat[0, 0] > 40
    assert np.abs(heat.ravel()[1:]).max() < 15


def test_another_label_is_explained_where_it_is_asked_for(corner: Classifier) -> None:
    data = encoded(photo(400, 300, (0, 0)), "PNG")
    found = explain.explain_photo(corner, data, "dark")
    assert (found.label, found.probability) == ("dark", corner.predict(data).probabilities["dark"])
    heat = warmth(found.png)
    assert heat[0, 0] < -40
    assert np.abs(heat.ravel()[1:]).max() < 15


def test_a_photo_that_lies_on_its_side_is_explained_upright(corner: Classifier) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right: what is stored at the bottom left belongs to the top left
    data = encoded(photo(400, 300, (0, 0.5)), "JPEG", exif=exif)
    found = explain.explain_photo(corner, data)
    assert found.label == "bright"
    assert opened(found.png).shape == (400, 300, 3)
    assert warmth(found.png)[0, 0] > 40


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [
        (400, 300, (400, 300)),
        (33, 40, (33, 40)),
        (512, 100, (512, 100)),
        (1600, 1200, (512, 384)),
        (1200, 1601, (384, 512)),
        (3000, 160, (512, 27)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_picture_has_the_photo_s_shape_and_at_most_512_pixels_a_side(
    corner: Classifier, width: int, height: int, shown: tuple[int, int], kind: str
) -> None:
    found = explain.explain_photo(corner, encoded(draw(1, width=width, height=height), kind))
    assert opened(found.png).shape == (shown[1], shown[0], 3)
    assert len(found.png) < 300_000


def test_the_picture_is_as_sharp_as_the_photo_however_little_of_it_the_model_needs(corner: Classifier) -> None:
    stripes = np.zeros((480, 640, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = 255
    found = explain.explain_photo(corner, jpeg(Image.fromarray(stripes), 95))
    line = opened(found.png)[300, 300:].mean(1)
    assert np.ptp(line) > 120, "the stripes are gone"


def test_the_nearest_photos_are_those_of_the_index(tmp_path: Path) -> None:
    path = models.save(tmp_path / "m.onnx", metadata=models.card())
    classifier = Classifier(path)
    tints = {"red": (230, 40, 40), "green": (40, 230, 40), "blue": (40, 40, 230)}
    photos = [jpeg(draw(number, tint=tint)) for number, tint in enumerate(tints.values())]
    embeddings = [classifier.predict(data, embedding=True).embedding for data in photos]
    index = Index(list("abc"), list(tints), np.array(embeddings, np.float32))
    for place, data in enumerate(photos):
        found = explain.explain_photo(classifier, data, index=index).nearest
        assert len(found) == 3
        assert (found[0].id, found[0].label) == ("abc"[place], list(tints)[place])
        assert found[0].similarity == pytest.approx(1, abs=1e-5)
        assert len(explain.explain_photo(classifier, data, index=index, neighbours=1).nearest) == 1


def test_the_work_for_an_explanation_is_bounded(corner: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    run = corner._session.run

    def watched(names: Any, feed: dict[str, Pixels]) -> Any:
        asked.append(len(feed["image"]))
        return run(names, feed)

    monkeypatch.setattr(corner, "_session", SimpleNamespace(run=watched))
    explain.explain_photo(corner, jpeg(draw(1, width=1600, height=1200)))
    assert sum(asked) == explain.GRID**2 + 2
    assert max(asked) <= 64


def test_an_unknown_label_is_refused_before_anything_is_decoded(corner: Classifier) -> None:
    with pytest.raises(DataError, match=r"^The model does not know the label 'dim'; it knows bright, dark\.$"):
        explain.explain_photo(corner, b"", "dim")


def test_an_index_of_another_model_is_refused(corner: Classifier) -> None:
    index = Index(["a"], ["bright"], np.ones((1, 5), np.float32))
    with pytest.raises(DataError, match="of another model"):
        explain.explain_photo(corner, jpeg(draw(1)), index=index)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"notes", "not-an-image"), (jpeg(draw(1, width=300, height=300))[:-99], "damaged")],
)
def test_a_photo_that_cannot_be_used_is_not_explained(corner: Classifier, data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        explain.explain_photo(corner, data)
    assert caught.value.reason == reason


def test_a_photo_of_too_many_pixels_is_not_explained(tmp_path: Path) -> None:
    path = models.save(tmp_path / "m.onnx", metadata=models.card())
    with pytest.raises(ImageError) as caught:
        explain.explain_photo(Classifier(path, max_pixels=90_000), jpeg(draw(1, width=301, height=300)))
    assert caught.value.reason == "too-many-pixels"
