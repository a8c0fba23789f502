"""One frame of the park's cameras: a scene, an animal in it, and what made it hard to see."""

from typing import Final

from numpy.random import Generator
from PIL import Image, ImageDraw

from petpark.build.drawing.camera import Camera
from petpark.build.drawing.park import Scene
from petpark.build.drawing.pen import Pen, Point
from petpark.build.drawing.poses import animal

_FINE: Final = 4  # drawn so many times as large, then averaged: smooth edges
_SIZES: Final = ((80, 64), (64, 64), (64, 80), (120, 96))
_SIZE_SHARES: Final = (0.42, 0.3, 0.23, 0.05)
_CASES: Final = ("plain", "far", "night", "unsharp", "hidden", "cut")
_CASE_SHARES: Final = (0.8, 0.04, 0.04, 0.04, 0.05, 0.03)


def frame(label: str, rng: Generator, *, evening: bool = False) -> Image.Image:
    """Draw a frame that shows an animal with this label; `rng` decides everything else.

    One in five is hard: the animal is far away, it is night, the camera is out of focus, something stands in front of
    the animal, or the frame cuts it.
    """
    width, height = _SIZES[rng.choice(len(_SIZES), p=_SIZE_SHARES)]
    case = _CASES[rng.choice(len(_CASES), p=_CASE_SHARES)]
    scene = Scene(width * _FINE, height * _FINE, rng)
    scene.paint_background()
    size = min(scene.canvas.size) * (rng.uniform(0.25, 0.4) if case == "far" else rng.uniform(0.5, 0.68))
    at = _place(scene.canvas.size, size, rng)
    if case == "cut":
        at = (at[0] + size * rng.uniform(-0.5, 0.5), at[1] + size * rng.uniform(-0.35, 0.35))
    scene.paint_shadow(at, size)
    pen = Pen(ImageDraw.Draw(scene.canvas), at, size, mirror=rng.random() < 0.5, tilt=rng.uniform(-0.1, 0.1))
    animal(pen, label, rng)
    if case == "hidden":
        scene.paint_foreground(at, size)
    camera = Camera(evening=evening, night=case == "night", unsharp=case == "unsharp")
    return camera.expose(scene.canvas.reduce(_FINE), rng)


def _place(canvas: tuple[int, int], size: float, rng: Generator) -> Point:
    """Where an animal stands so that all of it lies in the picture, as far as it fits."""
    width, height = canvas
    room = max(0.0, width / 2 - 0.7 * size)
    return width / 2 + room * rng.uniform(-1, 1), rng.uniform(min(1.4 * size, height * 0.97), height * 0.99)
