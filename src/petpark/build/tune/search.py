"""A search: from the settings to a study with all its trials."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import optuna

from petpark import lake
from petpark.build.train import Source
from petpark.build.tune import studies, workers
from petpark.build.tune.plan import Plan, Sampler, Shard
from petpark.config.params import Params

PHOTOS: Final = "photos"
VALIDATION: Final = "validation photos"
_NO_MATTER: Final = {"cache_gb", "processes"}  # settings of `train` that change no trial


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
    made = Plan(
        study_of(shard or Shard()),
        params.train,
        params.tune,
        params.seed,
        sampler,
        trials,
        shard or Shard(),
        time.time() + 60 * minutes,
    )
    _ = made.most  # what is wrong with the space shows before anything heavy begins
    return made


def study_of(shard: Shard) -> Path:
    """Where a search, or a part of one, is kept."""
    path = studies.STUDY
    return path if shard.count == 1 else path.with_stem(f"{path.stem}-{shard.number}-of-{shard.count}")


def search(this: Plan, count: int, say: Callable[[str], None]) -> None:
    """Carry out the trials of a plan that its study does not have yet, in so many processes.

    Raises:
        SettingsError: the study is about something else.
        SetupError: another search works on this study, or a process of this one was killed.
        PetparkError: no trial can be carried out.
    """
    source = Source.read()
    with studies.opened(this.study, new=True) as study:
        about = facts(this)
        about |= {PHOTOS: source.data, VALIDATION: len(lake.side(source.photos, "validation"))}
        studies.same_search(study, about, this.study)
        with studies.alone(this.study, study, this.space.distributions):
            workers.carry_out(this, source, count, say)
            say(_end(this, study))


def facts(this: Plan) -> dict[str, Any]:
    """What a search is about, as far as the settings say."""
    rest = this.train.model_dump(exclude={*this.space.distributions, *_NO_MATTER})
    about = {
        "search space": this.tune.model_dump(),
        "settings of train": rest,
        "seed": this.seed,
        "shard": [this.shard.number, this.shard.count],
    }
    return dict(json.loads(json.dumps(about)))


def _end(this: Plan, study: optuna.Study) -> str:
    ended = len(studies.trials(study))
    if this.sampler == "grid" and this.searched_through(study):
        return f"The grid is searched through: all of its {len(this.cells)} combinations were tried."
    if ended >= this.most:
        return f"The search has its {ended} trials."
    return f"The time is up after {ended} of {this.most} trials: run the same command again to go on."
