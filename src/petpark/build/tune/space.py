"""The search space: which values each searched setting of `train` may take, in Optuna's terms and in ours."""

import difflib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from petpark.config.settings import parse
from petpark.config.train import TrainSettings
from petpark.config.tune import Range, Searched, TuneSettings
from petpark.errors import SettingsError
from petpark.layout import PARAMS

Values = dict[str, Any]
_DIGITS: Final = 3  # of a number that is drawn from a range: what is tried can be written down
_MOST_CELLS: Final = 10_000
_WHERE: Final = f"{PARAMS}: tune.search"


@dataclass(frozen=True)
class Space:
    """What is searched, by the names of settings in alphabetical order."""

    distributions: dict[str, BaseDistribution]
    grid: dict[str, tuple[Any, ...]]
    """The values that a grid search tries."""

    def cells(self, seed: int) -> list[Values]:
        """Every combination of the grid, shuffled: a search that ends early has looked everywhere.

        Raises:
            SettingsError: there are too many.
        """
        count = math.prod(map(len, self.grid.values()))
        if count > _MOST_CELLS:
            raise SettingsError(
                f"{_WHERE}: a grid of {count:,} combinations is never searched through (at most {_MOST_CELLS:,}): list "
                "fewer values, lower the `points` of ranges, or use another sampler."
            )
        cells = [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]
        return [cells[place] for place in np.random.default_rng(seed).permutation(count).tolist()]

    def values(self, drawn: Mapping[str, Any]) -> Values:
        """What is trained with: numbers of a range are rounded to three digits."""
        return {name: _rounded(drawn[name], kind) for name, kind in self.distributions.items()}

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether these values could be drawn."""
        return all(_holds(kind, values[name]) for name, kind in self.distributions.items())


def read(settings: TuneSettings, base: TrainSettings) -> Space:
    """Make the space of the settings; every end of it has to be possible beside the other settings of `train`.

    Raises:
        SettingsError: nothing is searched, there is no such setting, or it cannot take such a value.
    """
    if not settings.search:
        raise SettingsError(f"{_WHERE} is empty: name the settings of `train` to search. docs/tune.md has examples.")
    distributions: dict[str, BaseDistribution] = {}
    grid: dict[str, tuple[Any, ...]] = {}
    for name, what in sorted(settings.search.items()):
        _check(name, what)
        if isinstance(what, Range):
            low, high = _accepted(name, (_number(name, what.low), _number(name, what.high)), base)
            kind = IntDistribution if isinstance(low, int) else FloatDistribution
            distributions[name] = kind(low, high, log=what.log)
            grid[name] = _points(what, distributions[name])
        else:
            grid[name] = _accepted(name, what, base)
            distributions[name] = CategoricalDistribution(grid[name])
    return Space(distributions, grid)


def _check(name: str, what: Searched) -> None:
    known = TrainSettings.model_fields
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=2))
        raise SettingsError(
            f"{_WHERE}: `train` has no setting '{name}'{f' ({near}?)' if near else ''}. docs/parameters.md lists all."
        )
    if isinstance(what, Range) and known[name].annotation not in (int, float):
        raise SettingsError(f"{_WHERE}: '{name}' is no number and takes no range: list the values to try.")


def _accepted(name: str, values: tuple[Any, ...], base: TrainSettings) -> tuple[Any, ...]:
    """The values as `train` reads them beside its other settings."""
    accepted = [parse(TrainSettings, {**base.model_dump(), name: value}, _WHERE) for value in values]
    read = tuple(getattr(each, name) for each in accepted)
    if len({repr(value) for value in read}) < len(read):
        raise SettingsError(f"{_WHERE}: '{name}' lists a value twice.")
    return read


def _number(name: str, value: float) -> float:
    """An end of a range as its setting takes it: whole, where that is a whole number."""
    return int(value) if TrainSettings.model_fields[name].annotation is int and value.is_integer() else value


def _points(what: Range, kind: BaseDistribution) -> tuple[Any, ...]:
    space = np.geomspace if what.log else np.linspace
    places: list[float] = space(what.low, what.high, what.points).tolist()
    values = (round(place) if isinstance(kind, IntDistribution) else place for place in places)
    return tuple(dict.fromkeys(_rounded(value, kind) for value in values))


def _rounded(value: Any, kind: BaseDistribution) -> Any:
    if not isinstance(kind, FloatDistribution):
        return value
    return min(max(float(f"{value:.{_DIGITS}g}"), kind.low), kind.high)


def _holds(kind: BaseDistribution, value: Any) -> bool:
    if isinstance(kind, CategoricalDistribution):
        return any(repr(value) == repr(choice) for choice in kind.choices)
    return isinstance(kind, IntDistribution | FloatDistribution) and kind.low <= value <= kind.high
