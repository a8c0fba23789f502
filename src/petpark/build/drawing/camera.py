"""A cheap camera: the frame that it makes of a clean picture."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

_EVENING_LIGHT: Final = 0.85
_CLOUDS: Final = 0.22  # how much light and shade lie across a frame


@dataclass(frozen=True)
class Camera:
    """Light, colour, blur and noise, by lot.

    Args:
        evening: a little darker and bluer than by day.
        night: much darker, noisy and often grey.
        unsharp: out of focus.
    """

    evening: bool = False
    night: bool = False
    unsharp: bool = False

    def expose(self, picture: Image.Image, rng: Generator) -> Image.Image:
        """Turn a clean RGB picture into a frame of the same size."""
        grey = rng.random() < (0.6 if self.night else 0.04)
        if grey:
            picture = picture.convert("L").convert("RGB")
        picture = picture.point(self._curve(rng, grey=grey))
        blur = rng.uniform(0.9, 1.5) if self.unsharp else rng.uniform(0.1, 0.6)
        noise = rng.uniform(2, 8) if self.night else rng.uniform(1, 4)
        return _weathered(picture.filter(ImageFilter.GaussianBlur(blur)), noise, rng)

    def _curve(self, rng: Generator, *, grey: bool) -> list[int]:
        """What each level of red, green and blue becomes, [3 * 256]."""
        gain = rng.uniform(0.3, 0.5) if self.night else rng.uniform(0.65, 1.2)
        lift, warmth = rng.uniform(0, 20), rng.uniform(-0.1, 0.1)
        if self.evening:
            gain, warmth = gain * _EVENING_LIGHT, warmth - 0.05
        gains = [gain * (1 + tint * (0 if grey else warmth)) for tint in (1, 0, -1)]
        return [min(255, round(lift + level * each)) for each in gains for level in range(256)]


def _weathered(picture: Image.Image, noise: float, rng: Generator) -> Image.Image:
    """Lay soft light and shade over a picture, and the sensor's noise."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 7), dtype=np.uint8))
    cloud = np.asarray(coarse.resize(picture.size, Image.Resampling.BICUBIC), np.float32) / np.float32(255)
    grain = rng.standard_normal(cloud.shape, np.float32) * np.float32(noise)
    light = np.asarray(picture, np.float32) * (np.float32(1 - _CLOUDS / 2) + cloud * np.float32(_CLOUDS))[..., None]
    return Image.fromarray(np.clip(np.rint(light + grain[..., None]), 0, 255).astype(np.uint8))
