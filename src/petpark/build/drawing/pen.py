"""A pen with coordinates of its own, and colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

_RING: Final = [2 * math.pi * i / 28 for i in range(28)]
_BEADS: Final = 28
_HAIR: Final = 0.012


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Blend two colours: 0 gives the one, 1 the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Pen:
    """Draws in coordinates of its own, y upwards.

    Args:
        draw: what it draws on.
        origin: where the pen's (0, 0) lies on it, in pixels.
        scale: pixels for a length of 1.
        mirror: x grows to the left.
        tilt: how far everything leans to the left, in radians.
    """

    draw: ImageDraw.ImageDraw
    origin: Point
    scale: float
    mirror: bool = False
    tilt: float = 0.0

    def moved(self, origin: Point, zoom: float = 1.0) -> "Pen":
        """Give a pen whose origin is a point of this one's, and whose lengths are `zoom` times as long."""
        return replace(self, origin=self._pixel(origin), scale=self.scale * zoom)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self.draw.polygon([self._pixel(point) for point in points], fill=colour)

    def blob(self, at: Point, wide: float, high: float, colour: Colour, turn: float = 0.0) -> None:
        """Fill an ellipse of half axes `wide` and `high`, turned to the left by radians."""
        sin, cos = math.sin(turn), math.cos(turn)
        ring = [(wide * math.cos(angle), high * math.sin(angle)) for angle in _RING]
        self.polygon([(at[0] + x * cos - y * sin, at[1] + x * sin + y * cos) for x, y in ring], colour)

    def ball(self, at: Point, wide: float, high: float, colours: tuple[Colour, Colour], turn: float = 0.0) -> None:
        """Fill an ellipse that looks round; the colours are those of its lit side and of its underside."""
        lit, shaded = colours
        self.blob(at, wide, high, shaded, turn)
        self.blob((at[0], at[1] + high * 0.1), wide * 0.95, high * 0.88, lit, turn)

    def stroke(self, path: tuple[Point, Point, Point], start: float, end: float, colour: Colour) -> None:
        """Draw a round stroke along a quadratic curve, from one width to another."""
        (ax, ay), (bx, by), (cx, cy) = path
        for i in range(_BEADS + 1):
            t = i / _BEADS
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
            self._dot((a * ax + b * bx + c * cx, a * ay + b * by + c * cy), (start + (end - start) * t) / 2, colour)

    def limb(self, top: Point, foot: Point, width: float, colour: Colour) -> None:
        """Draw a leg with a paw."""
        middle = ((top[0] + foot[0]) / 2, (top[1] + foot[1]) / 2)
        self.stroke((top, middle, foot), width * 1.25, width * 0.85, colour)
        self.blob((foot[0] + width * 0.25, foot[1]), width * 0.72, width * 0.45, colour)

    def hair(self, start: Point, end: Point, colour: Colour) -> None:
        """Draw a thin straight line."""
        width = max(1, round(self.scale * _HAIR))
        self.draw.line([self._pixel(start), self._pixel(end)], fill=colour, width=width)

    def _dot(self, at: Point, radius: float, colour: Colour) -> None:
        (x, y), r = self._pixel(at), radius * self.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def _pixel(self, point: Point) -> Point:
        sin, cos = math.sin(self.tilt), math.cos(self.tilt)
        x, y = -point[0] if self.mirror else point[0], point[1]
        return self.origin[0] + self.scale * (x * cos - y * sin), self.origin[1] - self.scale * (x * sin + y * cos)
