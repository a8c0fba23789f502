"""What the service measures of a photo are the figures that ingest keeps, by fewer operations."""

import numpy as np
import pytest
from PIL import Image

from petpark import images
from petpark.deploy.serving import looks
from tests.conftest import draw


def by_the_core(prepared: images.Pixels) -> images.Properties:
    small = Image.fromarray(prepared).reduce(max(1, len(prepared) // images.THUMBNAIL))
    return images.properties(np.asarray(small))


@pytest.mark.parametrize("side", [16, 32, 64, 100, 128, 224])
def test_the_figures_are_those_of_the_core(side: int) -> None:
    noise = np.random.default_rng(side)
    for seed in range(20):
        drawn = np.asarray(draw(seed, width=side, height=side))
        assert looks.properties(drawn) == by_the_core(drawn)
        noisy = noise.integers(0, 256, drawn.shape, np.uint8)
        assert looks.properties(noisy) == by_the_core(noisy)


@pytest.mark.parametrize(
    ("colour", "found"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (1, 0, 0)),
        ((255, 0, 0), (0.299, 0, 1)),
        ((0, 51, 255), (0.2314, 0, 1)),
    ],
)
def test_a_photo_of_one_colour(colour: tuple[int, int, int], found: tuple[float, float, float]) -> None:
    prepared = np.full((128, 128, 3), colour, np.uint8)
    assert looks.properties(prepared) == pytest.approx(found)


def test_half_black_and_half_white_is_all_contrast() -> None:
    prepared = np.zeros((64, 64, 3), np.uint8)
    prepared[:32] = 255
    assert looks.properties(prepared) == (0.5, 0.5, 0)
