"""A search: from the settings to a study with all its trials."""

from collections.abc import Callable

import optuna

from petpark import lake
from petpark.build.train import Source
from petpark.build.tune import studies, workers
from petpark.build.tune.plan import Plan


def search(this: Plan, count: int, say: Callable[[str], None]) -> None:
    """Carry out the trials of a plan that its study does not have yet, in so many processes.

    Raises:
        SettingsError: the study is about something else.
        SetupError: another search works on this study, or a process of this one was killed.
        PetparkError: no trial can be carried out.
    """
    source = Source.read()
    with studies.opened(this.study, new=True) as study:
        about = this.facts()
        about |= {studies.PHOTOS: source.data, studies.VALIDATION: len(lake.side(source.photos, "validation"))}
        studies.same_search(study, about, this.study)
        with studies.alone(this.study, study, this.space.distributions):
            workers.carry_out(this, source, count, say)
            say(_end(this, study))


def _end(this: Plan, study: optuna.Study) -> str:
    ended = len(studies.trials(study))
    if this.sampler == "grid" and this.searched_through(study):
        return f"The grid is searched through: all of its {len(this.cells)} combinations were tried."
    if ended >= this.most:
        return f"The search has its {ended} trials."
    return f"The time is up after {ended} of {this.most} trials: run the same command again to go on."
