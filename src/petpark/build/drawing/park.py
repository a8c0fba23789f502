"""A park as a camera on a pole sees it: ground, paths, trees and benches, and what stands in front of an animal."""

from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from petpark.build.drawing.pen import Colour, Pen, Point, mix
from petpark.build.drawing.things import BEFORE, BEHIND, LEAVES, SHADE, SKIES, pick

_GROUNDS: Final[tuple[Colour, ...]] = (
    (96, 138, 70),  # grass
    (122, 150, 84),
    (78, 116, 66),
    (168, 156, 134),  # gravel
    (146, 146, 148),  # paving
    (196, 176, 136),  # sand
    (176, 122, 66),  # leaves
    (216, 220, 226),  # snow
)


class Scene:
    """One place in the park, drawn far to near.

    Args:
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        rng: decides everything.
    """

    def __init__(self, width: int, height: int, rng: Generator) -> None:
        self._rng = rng
        self._size = (width, height)
        self._ground = pick(_GROUNDS, rng)
        self._horizon = height * max(0.0, rng.uniform(-0.3, 0.45))
        self.canvas = Image.new("RGB", (width, height), self._ground)

    def paint_background(self) -> None:
        """Draw the ground and what stands behind the animal."""
        self._patches()
        if self._rng.random() < 0.6:
            self._path()
        if self._horizon > 0:
            self._skyline()
        width, height = self._size
        for y in sorted(self._rng.uniform(self._horizon, height * 0.75, self._rng.integers(0, 4)).tolist()):
            pen = self._pen((self._rng.uniform(0, width), y), (0.35 + 0.5 * y / height) * height)
            BEHIND[self._rng.integers(len(BEHIND))](pen, self._rng)
        if self._rng.random() < 0.5:
            self._shadow()

    def paint_shadow(self, at: Point, length: float) -> None:
        """Darken the ground under an animal that stands at a point and is so long, in pixels."""
        x, y = at
        self._darken([(x - 0.55 * length, y - 0.1 * length, x + 0.6 * length, y + 0.09 * length)], 0.35)

    def paint_foreground(self, at: Point, size: float) -> None:
        """Hide a part of the animal that stands at a point and is so high, in pixels."""
        x = at[0] + size * self._rng.uniform(-0.5, 0.5)
        y = at[1] + size * self._rng.uniform(0.02, 0.1)
        thing = BEFORE[self._rng.integers(len(BEFORE))]
        thing(self._pen((x, y), size * self._rng.uniform(0.7, 1.1)), self._rng)

    def _patches(self) -> None:
        width, height = self._size
        draw = ImageDraw.Draw(self.canvas)
        other = pick(_GROUNDS, self._rng)
        for _ in range(self._rng.integers(2, 6)):
            x, y = self._rng.uniform(0, width), self._rng.uniform(0, height)
            wide, high = width * self._rng.uniform(0.1, 0.5), height * self._rng.uniform(0.05, 0.3)
            tone = pick((SHADE, (255, 250, 230), other), self._rng)
            colour = mix(self._ground, tone, self._rng.uniform(0.05, 0.3))
            draw.ellipse((x - wide, y - high, x + wide, y + high), fill=colour)

    def _path(self) -> None:
        width, height = self._size
        rng = self._rng
        far, near = rng.uniform(-0.3, 1.3) * width, rng.uniform(-0.3, 1.3) * width
        thin, thick = width * rng.uniform(0.03, 0.15), width * rng.uniform(0.15, 0.45)
        bend = rng.uniform(-0.3, 0.3) * width
        steps = [i / 10 for i in range(11)]
        middle = [far + (near - far) * t + bend * 4 * t * (1 - t) for t in steps]
        wide = [thin + (thick - thin) * t for t in steps]
        y = [self._horizon + (height - self._horizon) * t * 1.02 for t in steps]
        left = [(m - w, v) for m, w, v in zip(middle, wide, y, strict=True)]
        right = [(m + w, v) for m, w, v in zip(middle, wide, y, strict=True)]
        colour = mix(pick(_GROUNDS[3:6], rng), self._ground, 0.2)
        ImageDraw.Draw(self.canvas).polygon(left + right[::-1], fill=colour)

    def _skyline(self) -> None:
        width, _ = self._size
        rng = self._rng
        ImageDraw.Draw(self.canvas).rectangle((0, 0, width, self._horizon), fill=pick(SKIES, rng))
        base = mix(pick(LEAVES, rng), pick(SKIES, rng), rng.uniform(0.1, 0.5))
        pen = self._pen((0, self._horizon), 1)
        for x in np.arange(0, width, width / rng.integers(4, 9)).tolist():
            crown = self._horizon * rng.uniform(0.15, 0.9)
            colour = mix(base, SHADE, rng.uniform(0, 0.3))
            pen.blob((x + rng.uniform(0, 20), crown * 0.5), width * rng.uniform(0.07, 0.16), crown * 0.6, colour)

    def _pen(self, at: Point, size: float) -> Pen:
        return Pen(ImageDraw.Draw(self.canvas), at, size)

    def _shadow(self) -> None:
        width, height = self._size
        boxes = []
        for _ in range(self._rng.integers(2, 6)):
            x, y = self._rng.uniform(0, width), self._rng.uniform(self._horizon, height)
            wide = width * self._rng.uniform(0.1, 0.35)
            boxes.append((x - wide, y - wide * 0.4, x + wide, y + wide * 0.4))
        self._darken(boxes, self._rng.uniform(0.2, 0.45))

    def _darken(self, boxes: list[tuple[float, float, float, float]], strength: float) -> None:
        mask = Image.new("L", self._size, 0)
        for box in boxes:
            ImageDraw.Draw(mask).ellipse(box, fill=round(255 * strength))
        self.canvas.paste(SHADE, mask=mask)
