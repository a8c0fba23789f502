"""What a search does, and which trial comes next.

Every trial has a place, 0, 1, 2 …, and what is tried there follows from the seed and the place, for TPE from the trials
before it as well. So a search that was killed goes on as if nothing had happened, and the parts that a search is dealt
out to (place 0 to the first, 1 to the second …) make the same trials together as one search would.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from petpark.build.tune import space, studies
from petpark.build.tune.space import Space, Values
from petpark.config.params import Params
from petpark.config.train import TrainSettings
from petpark.config.tune import TuneSettings

Sampler = Literal["tpe", "random", "grid"]
SAMPLERS: Final[tuple[Sampler, ...]] = get_args(Sampler)
_NO_MATTER: Final = {"cache_gb", "processes"}  # settings of `train` that change no trial
_HELD: Final = (*studies.ENDED, TrialState.RUNNING)
_HANDED_OUT: Final = (*_HELD, TrialState.WAITING)


@dataclass(frozen=True)
class Shard:
    """One part of a search that several machines share: the number-th of `count`."""

    number: int = 1
    count: int = 1

    def place(self, own: int) -> int:
        """The place in the whole search of this part's own place."""
        return own * self.count + self.number - 1


@dataclass(frozen=True)
class Plan:
    """A search: what it is about, how it draws, and when it ends."""

    study: Path
    train: TrainSettings
    tune: TuneSettings
    seed: int
    sampler: Sampler
    trials: int | None
    """How many trials the study has in the end; None for all of a grid."""
    shard: Shard = Shard()
    deadline: float = math.inf
    """Seconds since the epoch at which the search makes a pause."""

    @cached_property
    def space(self) -> Space:
        """What is searched."""
        return space.read(self.tune, self.train)

    @cached_property
    def cells(self) -> list[Values]:
        """The part of the grid that is searched here."""
        return self.space.cells(self.seed)[self.shard.number - 1 :: self.shard.count]

    def facts(self) -> dict[str, Any]:
        """What a search is about, as far as the settings say."""
        rest = self.train.model_dump(exclude={*self.space.distributions, *_NO_MATTER})
        about = {
            "search space": self.tune.model_dump(),
            "settings of train": rest,
            "seed": self.seed,
            studies.SHARD: [self.shard.number, self.shard.count],
        }
        return dict(json.loads(json.dumps(about)))

    @property
    def most(self) -> int:
        """How many trials there will be at most."""
        cells = len(self.cells) if self.sampler == "grid" else self.trials
        return min(each for each in (cells, self.trials) if each is not None)

    def claim(self, study: optuna.Study) -> optuna.Trial | None:
        """Take the next trial; None where there is none left. No two processes take the same."""
        with studies.one_at_a_time(f"{self.study.name}.claim"):
            handed_out = studies.trials(study, _HANDED_OUT)
            held = [trial for trial in handed_out if trial.state in _HELD]
            if self.trials is not None and len(held) >= self.trials:
                return None
            if len(held) == len(handed_out):
                values = self._fixed(handed_out)
                if values is not None:
                    study.enqueue_trial(values)
                elif self.sampler == "grid":
                    return None
            study.sampler = self._drawing(len(held))
            return study.ask(self.space.distributions)

    def _fixed(self, handed_out: Sequence[FrozenTrial]) -> Values | None:
        """The next values, where they are not drawn: a cell of the grid, or in the beginning what is set now."""
        if self.sampler == "grid":
            return next(iter(self._left(handed_out)), None)
        now = {name: getattr(self.train, name) for name in self.space.distributions}
        return now if self.shard.place(len(handed_out)) == 0 and self.space.holds(now) else None

    def searched_through(self, study: optuna.Study) -> bool:
        """Whether every cell of the grid was tried."""
        return not self._left(studies.trials(study))

    def _left(self, trials: Sequence[FrozenTrial]) -> list[Values]:
        known = [{**trial.system_attrs.get("fixed_params", {}), **trial.params} for trial in trials]
        return [cell for cell in self.cells if cell not in known]

    def _drawing(self, own: int) -> optuna.samplers.BaseSampler:
        place = self.shard.place(own)
        seed = int(np.random.SeedSequence([self.seed, place]).generate_state(1)[0])
        return optuna.samplers.TPESampler(seed=seed) if self.sampler == "tpe" else optuna.samplers.RandomSampler(seed)


def plan(
    params: Params, sampler: Sampler, trials: int | None, shard: Shard | None = None, minutes: float = math.inf
) -> Plan:
    """Make the plan of a search.

    Args:
        params: the settings.
        sampler: how values are drawn.
        trials: how many there will be in all; None for a whole grid.
        shard: the part of the search that is done here.
        minutes: until the search makes a pause.

    Raises:
        SettingsError: what is to be searched cannot be.
    """
    shard, deadline = shard or Shard(), time.time() + 60 * minutes
    made = Plan(study_of(shard), params.train, params.tune, params.seed, sampler, trials, shard, deadline)
    _ = made.space, made.most  # what is wrong with the space shows before anything heavy begins
    return made


def study_of(shard: Shard) -> Path:
    """Where a search, or a part of one, is kept."""
    path = studies.STUDY
    return path if shard.count == 1 else path.with_stem(f"{path.stem}-{shard.number}-of-{shard.count}")
