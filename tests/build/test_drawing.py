import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from petpark.build.drawing import poses
from petpark.build.drawing.animals import KINDS, Coat
from petpark.build.drawing.camera import Camera
from petpark.build.drawing.frame import frame
from petpark.build.drawing.park import Scene
from petpark.build.drawing.pen import Pen, mix
from petpark.build.drawing.poses import animal
from petpark.build.drawing.things import BEFORE, BEHIND, Thing, pick

WHITE = (255, 255, 255)
RED = (200, 0, 0)
BLUE = (0, 0, 200)
THINGS = sorted({*BEFORE, *BEHIND}, key=lambda thing: thing.__name__)


def paper(*, scale: float = 40, mirror: bool = False, tilt: float = 0.0) -> tuple[Image.Image, Pen]:
    """A white sheet of 200 x 200, and a pen whose origin is its middle."""
    sheet = Image.new("RGB", (200, 200), WHITE)
    return sheet, Pen(ImageDraw.Draw(sheet), (100, 100), scale, mirror=mirror, tilt=tilt)


def drawn(draw: Callable[[Pen], object], *, mirror: bool = False, tilt: float = 0.0) -> Image.Image:
    sheet, pen = paper(mirror=mirror, tilt=tilt)
    draw(pen)
    return sheet


def ink(sheet: Image.Image, colour: tuple[int, int, int] | None = None) -> NDArray[np.bool_]:
    """Which pixels have a colour, or any but white, [H, W]."""
    pixels = np.asarray(sheet)
    if colour is None:
        return np.asarray((pixels != WHITE).any(axis=2))
    return np.asarray((pixels == colour).all(axis=2))


def centre(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def box(mask: NDArray[np.bool_]) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize(("share", "colour"), [(0, RED), (1, BLUE), (0.5, (100, 0, 100))])
def test_colours_mix(share: float, colour: tuple[int, int, int]) -> None:
    assert mix(RED, BLUE, share) == colour


def test_a_pen_draws_upwards_in_its_own_scale() -> None:
    mask = ink(drawn(lambda pen: pen.blob((1, 0.5), 0.5, 0.25, RED)))
    assert centre(mask) == pytest.approx((140, 80), abs=1)
    assert box(mask) == pytest.approx((40, 20), abs=2)


def test_a_mirrored_pen_draws_to_the_left() -> None:
    mask = ink(drawn(lambda pen: pen.blob((1, 0.5), 0.5, 0.25, RED), mirror=True))
    assert centre(mask) == pytest.approx((60, 80), abs=1)


def test_a_tilted_pen_leans() -> None:
    mask = ink(drawn(lambda pen: pen.blob((1, 0), 0.5, 0.25, RED), tilt=math.pi / 2))
    assert centre(mask) == pytest.approx((100, 60), abs=1)
    assert box(mask) == pytest.approx((20, 40), abs=2)


def test_a_moved_pen_starts_elsewhere_and_draws_larger() -> None:
    mask = ink(drawn(lambda pen: pen.moved((1, 0), 2).blob((0.5, 0), 0.25, 0.25, RED), mirror=True))
    assert centre(mask) == pytest.approx((20, 100), abs=1)
    assert box(mask) == pytest.approx((40, 40), abs=2)


def test_a_ball_is_lit_from_above() -> None:
    sheet = drawn(lambda pen: pen.ball((0, 0), 1, 1, (RED, BLUE)))
    assert centre(ink(sheet, RED))[1] < centre(ink(sheet, BLUE))[1]


def test_a_stroke_grows_thinner() -> None:
    mask = ink(drawn(lambda pen: pen.stroke(((-2, 0), (0, 0), (2, 0)), 0.8, 0.2, RED)))
    assert mask[:, 30].sum() > 2 * mask[:, 170].sum() > 0


@pytest.mark.parametrize("pose", poses._POSES)
@pytest.mark.parametrize("label", sorted(KINDS))
def test_an_animal_stands_on_the_ground_and_is_about_as_high_as_promised(label: str, pose: poses.Pose) -> None:
    kind = KINDS[label]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        coat = Coat.drawn(kind, rng)
        sheet, pen = paper()
        pose(poses._Animal(pen, kind, coat, kind.chest, rng))
        rows = np.flatnonzero(ink(sheet).any(axis=1))
        height = (100 - rows.min()) / 40
        assert 0.7 < height < 1.8
        assert rows.max() <= 100 + 0.25 * 40


def test_animals_of_one_label_differ() -> None:
    sheets = set()
    for seed in range(20):
        sheet, pen = paper()
        animal(pen, "cat", np.random.default_rng(seed))
        sheets.add(sheet.tobytes())
    assert len(sheets) == 20


@pytest.mark.parametrize("view", ["front", "profile", "back"])
def test_a_cats_ears_reach_higher_than_a_dogs_above_the_same_head(view: str) -> None:
    tops = {}
    for label, kind in KINDS.items():
        rng = np.random.default_rng(1)
        coat = Coat.drawn(kind, rng)
        sheet, pen = paper(scale=100)
        getattr(kind, view)(pen, coat, rng)
        tops[label] = 100 - int(np.flatnonzero(ink(sheet).any(axis=1)).min())
    assert tops["cat"] > 1.3 * tops["dog"]


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.__name__)
def test_a_thing_stands_where_its_pen_is(thing: Thing) -> None:
    mask = ink(drawn(lambda pen: thing(pen, np.random.default_rng(0))))
    assert centre(mask)[0] == pytest.approx(100, abs=8)
    assert 0.002 < mask.mean() < 0.3


def test_colours_are_picked_from_the_choices() -> None:
    rng = np.random.default_rng(0)
    assert {pick((RED, BLUE), rng) for _ in range(30)} == {RED, BLUE}


def test_an_animals_shadow_darkens_the_ground_below_it() -> None:
    scene = Scene(200, 160, np.random.default_rng(0))
    before = np.asarray(scene.canvas, np.int64)
    scene.paint_shadow((100, 120), 60)
    change = np.asarray(scene.canvas, np.int64).sum(axis=2) - before.sum(axis=2)
    assert change.max() == 0
    assert centre(change < 0) == pytest.approx((100, 120), abs=4)


def test_what_stands_in_front_hides_a_part_of_the_animal() -> None:
    hidden = []
    for seed in range(10):
        scene = Scene(200, 160, np.random.default_rng(seed))
        Pen(ImageDraw.Draw(scene.canvas), (100, 140), 90).ball((0, 0.5), 0.4, 0.5, (RED, RED))
        before = ink(scene.canvas, RED).sum()
        scene.paint_foreground((100, 140), 90)
        hidden.append(1 - ink(scene.canvas, RED).sum() / before)
    assert 0.1 < np.mean(hidden) < 0.6
    assert max(hidden) < 1


def lightness(camera: Camera) -> float:
    picture = Image.new("RGB", (64, 64), (120, 120, 120))
    return float(
        np.mean([np.asarray(camera.expose(picture, np.random.default_rng(seed))).mean() for seed in range(20)])
    )


def test_evenings_are_darker_than_days_and_nights_darker_still() -> None:
    day, evening, night = lightness(Camera()), lightness(Camera(evening=True)), lightness(Camera(night=True))
    assert day > 1.08 * evening > 1.5 * night


def test_a_camera_out_of_focus_blurs_edges() -> None:
    picture = Image.fromarray(np.repeat(np.array([[0] * 32 + [200] * 32], np.uint8), 64, axis=0)).convert("RGB")

    def steepest(camera: Camera) -> float:
        shot = np.asarray(camera.expose(picture, np.random.default_rng(3)), np.float64).mean(axis=(0, 2))
        return float(np.diff(shot).max() / np.ptp(shot))

    assert steepest(Camera(unsharp=True)) < 0.6 * steepest(Camera())


def test_a_camera_keeps_the_size() -> None:
    shot = Camera(evening=True, night=True, unsharp=True).expose(Image.new("RGB", (80, 48)), np.random.default_rng(0))
    assert (shot.size, shot.mode) == ((80, 48), "RGB")


@pytest.mark.parametrize("label", sorted(KINDS))
def test_a_frame_depends_on_nothing_but_its_dice(label: str) -> None:
    one, same, other = (frame(label, np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert one.tobytes() == same.tobytes() != other.tobytes()


def test_an_unknown_animal_is_no_kind() -> None:
    with pytest.raises(KeyError, match="horse"):
        frame("horse", np.random.default_rng(0))
