"""Cats and dogs in parts: coats, heads and tails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from numpy.random import Generator

from petpark.build.drawing.pen import Colour, Pen, mix

_COATS: Final[tuple[Colour, ...]] = (
    (52, 48, 48),  # black
    (112, 112, 118),  # grey
    (150, 142, 134),  # silver
    (196, 122, 58),  # ginger
    (214, 178, 128),  # cream
    (226, 220, 210),  # white
    (112, 74, 46),  # brown
    (164, 118, 74),  # tan
)
_MARKINGS: Final = ("plain", "striped", "patched", "socks")
_WHITE: Final[Colour] = (236, 232, 224)
_INK: Final[Colour] = (28, 24, 24)
_PINK: Final[Colour] = (226, 132, 138)
_COLLARS: Final[tuple[Colour, ...]] = ((200, 40, 44), (40, 90, 190), (240, 190, 40), (60, 150, 80))
_EYES: Final[tuple[Colour, ...]] = ((150, 190, 70), (222, 186, 60), (110, 170, 190))


@dataclass(frozen=True)
class Coat:
    """An animal's colours and markings."""

    base: Colour
    dark: Colour
    light: Colour
    marking: str
    patch: Colour
    eyes: Colour
    collar: Colour | None

    @classmethod
    def drawn(cls, kind: "Kind", rng: Generator) -> "Coat":
        """Draw a coat by lot: both kinds wear all of them, some more often than others."""
        one, other = (_COATS[i] for i in rng.choice(len(_COATS), 2, p=kind.coats))
        base = mix(one, other, rng.uniform(0, 0.35))
        return cls(
            base=base,
            dark=mix(base, (20, 16, 24), 0.32),
            light=mix(base, _WHITE, rng.uniform(0.25, 0.9)),
            marking=_MARKINGS[rng.choice(len(_MARKINGS), p=kind.markings)],
            patch=mix(_COATS[rng.integers(len(_COATS))], base, 0.2),
            eyes=_EYES[rng.integers(len(_EYES))],
            collar=_COLLARS[rng.integers(len(_COLLARS))] if rng.random() < 0.3 else None,
        )

    @property
    def fur(self) -> tuple[Colour, Colour]:
        """Its lit side and its underside."""
        return self.base, self.dark

    @property
    def ears(self) -> Colour:
        """The colour of hanging ears."""
        return mix(self.patch if self.marking == "patched" else self.dark, _INK, 0.3)

    @property
    def paw(self) -> Colour:
        """The colour of the legs."""
        return self.light if self.marking == "socks" else self.base


Part = Callable[[Pen, Coat, Generator], None]


@dataclass(frozen=True)
class Kind:
    """What makes one kind of animal.

    Heads are drawn around the pen's origin, tails from it. `views` are the shares of the profile, the front and the
    back of the head, `coats` and `markings` those of each coat and marking.
    """

    profile: Part
    front: Part
    back: Part
    tail: Part
    leg: float
    chest: float
    views: tuple[float, float, float]
    coats: tuple[float, ...]
    markings: tuple[float, ...]


def _cat_front(pen: Pen, coat: Coat, rng: Generator) -> None:
    """A cat's face: pointed ears, a round head, whiskers."""
    _pointed_ears(pen, coat, _PINK)
    pen.ball((0, 0), 0.27, 0.23, coat.fur)
    if coat.marking == "striped":
        for x in (-0.06, 0.0, 0.06):
            pen.stroke(((x, 0.2), (x, 0.15), (x * 0.8, 0.11)), 0.03, 0.015, coat.dark)
    pen.blob((0, -0.1), 0.13, 0.09, coat.light)
    sleepy = rng.random() < 0.2
    for side in (-1, 1):
        if sleepy:
            pen.stroke(((side * 0.06, 0.02), (side * 0.11, -0.01), (side * 0.16, 0.03)), 0.02, 0.02, _INK)
        else:
            pen.blob((side * 0.11, 0.03), 0.055, 0.045, coat.eyes, side * 0.35)
            pen.blob((side * 0.11, 0.03), 0.02, 0.042, _INK)
        for rise in (-0.05, 0.0, 0.05):
            pen.hair((side * 0.07, -0.09), (side * 0.36, -0.08 + rise), mix(coat.light, _WHITE, 0.5))
    pen.polygon([(-0.035, -0.05), (0.035, -0.05), (0, -0.09)], mix(_PINK, _INK, 0.3))


def _cat_profile(pen: Pen, coat: Coat, _: Generator) -> None:
    """A cat's head from the side."""
    pen.polygon([(-0.02, 0.12), (0.06, 0.36), (0.15, 0.12)], coat.dark)
    pen.ball((0, 0), 0.23, 0.2, coat.fur)
    pen.polygon([(-0.19, 0.08), (-0.13, 0.36), (0.04, 0.16)], coat.base)
    pen.polygon([(-0.13, 0.13), (-0.105, 0.28), (-0.01, 0.16)], mix(coat.base, _PINK, 0.6))
    pen.blob((0.17, -0.06), 0.09, 0.075, coat.light)
    pen.blob((0.24, -0.03), 0.022, 0.02, mix(_PINK, _INK, 0.3))
    pen.blob((0.1, 0.04), 0.045, 0.042, coat.eyes)
    pen.blob((0.115, 0.04), 0.017, 0.04, _INK)
    for rise in (-0.07, -0.02, 0.03):
        pen.hair((0.16, -0.06), (0.4, -0.07 + rise), mix(coat.light, _WHITE, 0.5))


def _cat_back(pen: Pen, coat: Coat, _: Generator) -> None:
    """A cat's head that looks away."""
    _pointed_ears(pen, coat, coat.dark)
    pen.ball((0, 0), 0.25, 0.22, coat.fur)


def _cat_tail(pen: Pen, coat: Coat, rng: Generator) -> None:
    """A long thin tail: up, waving, or low."""
    rise, reach = rng.uniform(-0.3, 0.62), rng.uniform(0.25, 0.5)
    bend = (-reach * rng.uniform(0.9, 1.5), rise * rng.uniform(-0.1, 0.4))
    tip = (-reach * rng.uniform(0.5, 1.1), rise)
    pen.stroke(((0, 0), bend, tip), 0.1, 0.055, mix(coat.base, coat.dark, 0.5))


def _pointed_ears(pen: Pen, coat: Coat, inside: Colour) -> None:
    for side in (-1, 1):
        pen.polygon([(side * 0.26, 0.04), (side * 0.24, 0.39), (side * 0.03, 0.18)], coat.base)
        inner = [(side * 0.21, 0.12), (side * 0.21, 0.31), (side * 0.09, 0.18)]
        pen.polygon(inner, mix(coat.base, inside, 0.6))


def _dog_front(pen: Pen, coat: Coat, rng: Generator) -> None:
    """A dog's face: hanging ears, a long snout with a big nose, sometimes the tongue."""
    pen.ball((0, 0), 0.22, 0.24, coat.fur)
    _hanging_ears(pen, coat)
    if rng.random() < 0.45:
        pen.stroke(((0, -0.2), (0.02, -0.27), (0.03, -0.34)), 0.1, 0.085, _PINK)
    pen.blob((0, -0.15), 0.15, 0.15, mix(coat.light, coat.dark, 0.25))
    pen.blob((0, -0.13), 0.14, 0.14, coat.light)
    pen.blob((0, -0.07), 0.07, 0.05, _INK)
    pen.hair((0, -0.1), (0, -0.2), _INK)
    for side in (-1, 1):
        pen.blob((side * 0.09, 0.08), 0.036, 0.04, _INK)
        pen.blob((side * 0.085, 0.095), 0.011, 0.011, _WHITE)


def _dog_profile(pen: Pen, coat: Coat, rng: Generator) -> None:
    """A dog's head from the side."""
    droop = rng.uniform(-0.3, 0.1)
    if rng.random() < 0.6:
        pen.stroke(((0.26, -0.12), (0.3, -0.2), (0.29, -0.27)), 0.09, 0.07, _PINK)
    pen.ball((0, 0), 0.22, 0.2, coat.fur)
    pen.ball((0.25, -0.06), 0.2, 0.105, coat.fur, droop * 0.5)
    pen.blob((0.27, -0.1), 0.16, 0.05, coat.light, droop * 0.5)
    pen.blob((0.43, -0.02 + droop * 0.08), 0.052, 0.046, _INK)
    pen.blob((0.1, 0.06), 0.032, 0.034, _INK)
    pen.blob((-0.1, -0.06), 0.095, 0.21, coat.ears, -0.25)


def _dog_back(pen: Pen, coat: Coat, _: Generator) -> None:
    """A dog's head that looks away."""
    pen.ball((0, 0), 0.22, 0.23, coat.fur)
    _hanging_ears(pen, coat)


def _dog_tail(pen: Pen, coat: Coat, rng: Generator) -> None:
    """A short thick tail, wagging or hanging."""
    rise = rng.uniform(-0.2, 0.36)
    pen.stroke(((0, 0), (-0.16, rise * 0.3), (-rng.uniform(0.16, 0.3), rise)), 0.16, 0.09, coat.base)


def _hanging_ears(pen: Pen, coat: Coat) -> None:
    for side in (-1, 1):
        pen.blob((side * 0.22, 0.01), 0.085, 0.22, coat.ears, side * 0.22)


KINDS: Final[dict[str, Kind]] = {
    "cat": Kind(
        _cat_profile,
        _cat_front,
        _cat_back,
        _cat_tail,
        leg=0.1,
        chest=0.85,
        views=(0.47, 0.46, 0.07),
        coats=(0.18, 0.2, 0.16, 0.2, 0.06, 0.1, 0.05, 0.05),
        markings=(0.3, 0.4, 0.12, 0.18),
    ),
    "dog": Kind(
        _dog_profile,
        _dog_front,
        _dog_back,
        _dog_tail,
        leg=0.14,
        chest=1.15,
        views=(0.25, 0.73, 0.02),  # dogs look at people
        coats=(0.1, 0.05, 0.07, 0.06, 0.17, 0.1, 0.23, 0.22),
        markings=(0.35, 0.04, 0.38, 0.23),
    ),
}
