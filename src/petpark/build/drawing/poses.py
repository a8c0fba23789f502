"""Whole animals, as they stand, sit and lie.

An animal has its own coordinates: x grows towards its nose, y upwards, the ground is y = 0, and with its head the
animal is about 1.4 high.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

from petpark.build.drawing.animals import KINDS, Coat, Kind
from petpark.build.drawing.pen import Pen, Point

_BIG_HEAD: Final = 1.5  # kinder to look at, and told apart from afar


@dataclass(frozen=True)
class _Animal:
    """One animal that is being drawn."""

    pen: Pen
    kind: Kind
    coat: Coat
    girth: float
    rng: Generator

    def tail(self, at: Point) -> None:
        self.kind.tail(self.pen.moved(at), self.coat, self.rng)

    def head(self, at: Point) -> None:
        """Draw a head that looks where it likes."""
        views = (self.kind.profile, self.kind.front, self.kind.back)
        view = views[self.rng.choice(len(views), p=self.kind.views)]
        view(self.pen.moved(at, _BIG_HEAD), self.coat, self.rng)

    def neck(self, low: Point, high: Point, width: float) -> None:
        middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
        self.pen.stroke((low, middle, high), width, width * 0.75, self.coat.base)
        if self.coat.collar is not None:
            self.pen.blob(middle, width * 0.5, 0.045, self.coat.collar)

    def markings(self, at: Point, wide: float, high: float) -> None:
        if self.coat.marking == "striped":
            self._stripes(at, wide, high)
        if self.coat.marking == "patched":
            self._patches(at, wide, high)

    def _stripes(self, at: Point, wide: float, high: float) -> None:
        for place in (-0.7, -0.35, 0.0, 0.35, 0.7):
            x, top = at[0] + wide * place, at[1] + high * math.sqrt(1 - place * place)
            self.pen.stroke(((x, top), (x + 0.03, at[1]), (x, at[1] - high * 0.3)), 0.06, 0.02, self.coat.dark)

    def _patches(self, at: Point, wide: float, high: float) -> None:
        dice = self.rng.uniform
        for _ in range(self.rng.integers(1, 4)):
            spot = (at[0] + wide * dice(-0.7, 0.7), at[1] + high * dice(-0.5, 0.5))
            self.pen.blob(spot, wide * dice(0.2, 0.45), high * dice(0.4, 0.7), self.coat.patch, dice(-1, 1))


def _standing(it: _Animal) -> None:
    pen, leg, coat = it.pen, it.kind.leg, it.coat
    stride = it.rng.uniform(-0.14, 0.14)
    it.tail((-0.42, 0.62))
    for x in (-0.28 + stride, 0.36 - stride):
        pen.limb((x * 0.85, 0.45), (x, 0.05), leg, coat.dark)
    pen.ball((0, 0.54), 0.5, 0.21 * it.girth, coat.fur)
    it.markings((0, 0.56), 0.4, 0.15 * it.girth)
    for x in (-0.34 - stride, 0.28 + stride):
        pen.limb((x * 0.95, 0.45), (x, 0.05), leg, coat.paw)
    it.neck((0.34, 0.6), (0.52, 0.86), 0.3 * it.girth)
    it.head((0.56, 0.9 + it.rng.uniform(-0.12, 0.06)))


def _sitting(it: _Animal) -> None:
    pen, leg, coat = it.pen, it.kind.leg, it.coat
    it.tail((-0.36, 0.16))
    pen.limb((0.16, 0.5), (0.2, 0.05), leg, coat.dark)
    pen.ball((-0.06, 0.42), 0.46, 0.25 * it.girth, coat.fur, 0.85)
    it.markings((-0.06, 0.44), 0.3, 0.18 * it.girth)
    pen.ball((-0.18, 0.22), 0.26, 0.2 * it.girth, coat.fur)
    pen.blob((0, 0.05), 0.16, 0.06, coat.paw)
    pen.limb((0.2, 0.55), (0.27, 0.05), leg, coat.paw)
    it.neck((0.16, 0.66), (0.2, 0.88), 0.3 * it.girth)
    it.head((0.22, 0.98))


def _facing(it: _Animal) -> None:
    pen, leg, coat = it.pen, it.kind.leg, it.coat
    it.tail((-0.2, 0.16))
    for side in (-1, 1):
        pen.ball((side * 0.2, 0.16), 0.15, 0.16, coat.fur)
    pen.ball((0, 0.42), 0.27 * it.girth, 0.38, coat.fur)
    for side in (-1, 1):
        pen.limb((side * 0.1, 0.45), (side * 0.11, 0.05), leg, coat.paw)
    pen.blob((0, 0.54), 0.14 * it.girth, 0.19, coat.light)
    it.neck((0, 0.6), (0, 0.8), 0.34 * it.girth)
    it.kind.front(pen.moved((it.rng.uniform(-0.05, 0.05), 0.98), _BIG_HEAD), coat, it.rng)


def _away(it: _Animal) -> None:
    pen, coat = it.pen, it.coat
    it.neck((0, 0.6), (0, 0.86), 0.34 * it.girth)
    it.kind.back(pen.moved((it.rng.uniform(-0.08, 0.08), 0.96), _BIG_HEAD), coat, it.rng)
    pen.blob((0, 0.56), 0.24 * it.girth, 0.26, coat.base)
    pen.ball((0, 0.3), 0.33 * it.girth, 0.31, coat.fur)
    it.markings((0, 0.42), 0.2, 0.24)
    it.tail((-0.14, 0.12))


def _lying(it: _Animal) -> None:
    pen, leg, coat = it.pen, it.kind.leg, it.coat
    it.tail((-0.5, 0.16))
    pen.ball((0, 0.24), 0.58, 0.22 * it.girth, coat.fur)
    it.markings((0.05, 0.28), 0.4, 0.14 * it.girth)
    pen.ball((-0.3, 0.2), 0.24, 0.19 * it.girth, coat.fur)
    for y in (0.08, 0.04):
        pen.stroke(((0.4, y + 0.06), (0.6, y), (0.78, y)), leg * 1.2, leg, coat.paw)
    it.neck((0.4, 0.3), (0.5, 0.46), 0.3)
    it.head((0.54, 0.54))


Pose = Callable[[_Animal], None]
_POSES: Final[tuple[Pose, ...]] = (_standing, _sitting, _facing, _away, _lying)
_SHARES: Final = (0.26, 0.2, 0.34, 0.05, 0.15)


def animal(pen: Pen, label: str, rng: Generator) -> None:
    """Draw an animal of one of the KINDS around the pen's origin, its coat and pose by lot."""
    kind = KINDS[label]
    pose = _POSES[rng.choice(len(_POSES), p=_SHARES)]
    pose(_Animal(pen, kind, Coat.drawn(kind, rng), kind.chest * rng.uniform(0.9, 1.12), rng))
