"""What stands in a park. Each thing stands at its pen's origin; its size is about 1."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator

from petpark.build.drawing.pen import Colour, Pen, mix

SHADE: Final[Colour] = (24, 26, 40)
LEAVES: Final[tuple[Colour, ...]] = ((48, 88, 46), (74, 112, 50), (104, 124, 58), (150, 104, 46), (60, 96, 78))
SKIES: Final[tuple[Colour, ...]] = ((176, 204, 226), (206, 210, 214), (226, 196, 168), (126, 146, 172))
_WOODS: Final[tuple[Colour, ...]] = ((88, 66, 48), (116, 92, 66), (74, 70, 68))
_PETALS: Final[tuple[Colour, ...]] = ((214, 60, 70), (240, 200, 60), (236, 236, 240), (150, 90, 180))
_WET: Final[Colour] = (120, 124, 116)

Thing = Callable[[Pen, Generator], None]


def pick(choices: tuple[Colour, ...], rng: Generator) -> Colour:
    """Draw one of the colours by lot."""
    return choices[rng.integers(len(choices))]


def tree(pen: Pen, rng: Generator) -> None:
    """A tree with a round crown."""
    trunk(pen, rng)
    leaf = pick(LEAVES, rng)
    for _ in range(6):
        spot = (rng.uniform(-0.3, 0.3), 1.1 + rng.uniform(-0.25, 0.25))
        pen.blob(spot, 0.28, 0.24, mix(leaf, SHADE, rng.uniform(0, 0.35)))


def trunk(pen: Pen, rng: Generator) -> None:
    """A trunk that leaves the picture at the top."""
    wood = pick(_WOODS, rng)
    thick = rng.uniform(0.07, 0.13)
    pen.polygon([(-thick * 1.3, 0), (-thick, 2), (thick, 2), (thick * 1.3, 0)], wood)
    pen.polygon([(thick * 0.2, 0), (thick * 0.2, 2), (thick, 2), (thick * 1.3, 0)], mix(wood, SHADE, 0.3))


def bush(pen: Pen, rng: Generator) -> None:
    """A bush."""
    leaf = pick(LEAVES, rng)
    for _ in range(9):
        spot = (rng.uniform(-0.35, 0.35), rng.uniform(0.02, 0.3))
        tone = mix(leaf, pick((SHADE, (190, 200, 120)), rng), rng.uniform(0, 0.3))
        pen.blob(spot, rng.uniform(0.1, 0.2), rng.uniform(0.08, 0.16), tone)


def post(pen: Pen, rng: Generator) -> None:
    """A lamp on a post."""
    iron = mix(pick(_WOODS, rng), (60, 64, 70), 0.6)
    pen.polygon([(-0.035, 0), (-0.035, 1.5), (0.035, 1.5), (0.035, 0)], iron)
    pen.blob((0, 1.52), 0.1, 0.1, (244, 236, 200))


def grass(pen: Pen, rng: Generator) -> None:
    """A tuft of high grass."""
    leaf = mix(pick(LEAVES, rng), (150, 180, 90), 0.4)
    for x in np.linspace(-0.5, 0.5, 24).tolist():
        tip = (x + rng.uniform(-0.12, 0.12), rng.uniform(0.12, 0.42))
        pen.polygon([(x - 0.03, -0.05), tip, (x + 0.03, -0.05)], mix(leaf, SHADE, rng.uniform(0, 0.4)))


def bench(pen: Pen, rng: Generator) -> None:
    """A bench."""
    wood = pick(_WOODS, rng)
    for x in (-0.5, 0.45):
        pen.polygon([(x, 0), (x, 0.55), (x + 0.05, 0.55), (x + 0.05, 0)], mix(wood, SHADE, 0.5))
    for y in (0.26, 0.4, 0.5):
        pen.polygon([(-0.6, y), (-0.6, y + 0.07), (0.6, y + 0.07), (0.6, y)], mix(wood, (220, 180, 130), 0.25))


def puddle(pen: Pen, rng: Generator) -> None:
    """A puddle with the sky in it."""
    wide = rng.uniform(0.2, 0.5)
    pen.blob((0, 0), wide, wide * 0.3, mix(_WET, pick(SKIES, rng), 0.6))


def flowers(pen: Pen, rng: Generator) -> None:
    """A bed of flowers."""
    leaf = pick(LEAVES, rng)
    pen.blob((0, 0), 0.34, 0.1, leaf)
    petal = pick(_PETALS, rng)
    for _ in range(14):
        pen.blob((rng.uniform(-0.3, 0.3), rng.uniform(-0.07, 0.12)), 0.03, 0.03, petal)


BEHIND: Final[tuple[Thing, ...]] = (tree, tree, bush, bench, post, puddle, flowers)
BEFORE: Final[tuple[Thing, ...]] = (bush, trunk, post, grass, bench)
