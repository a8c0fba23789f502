"""One trial: a training by the code of the stage, watched after every epoch, that leaves figures and no model."""

import contextlib
import io
import math
import time
from collections.abc import Iterator
from typing import Final

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import FrozenTrial, TrialState

from petpark.build import train
from petpark.build.processes import Team
from petpark.build.training import Data
from petpark.build.tune import studies
from petpark.build.tune.plan import Plan
from petpark.build.tune.space import Values
from petpark.config.settings import parse
from petpark.config.train import TrainSettings
from petpark.errors import ModelError
from petpark.layout import PARAMS

PIXELS: Final = studies.FOLDER / "pixels"
_SIZES: Final = 4  # of pictures that a process holds at once
_FIRST: Final = 5  # trials that run to their end before any is stopped early

History = list[dict[str, float]]


class _Worse(Exception):  # noqa: N818 - no error: the usual end of a trial that promises little
    """Half of the other trials were better at this epoch."""


class Pause(Exception):  # noqa: N818 - no error: the time is up
    """The search makes a pause; the trial goes on from its checkpoint when the search does."""


def score(figures: dict[str, float]) -> float:
    """What a search makes small: the loss on the validation side.

    Accuracy moves in steps of one photo, and between good recipes those are chance; the loss weighs every photo.
    """
    return figures["validation_loss"]


def pruner(epochs: int, *, comparable: bool) -> BasePruner:
    """Stop a trial whose best epoch so far is worse than the median of the others at that epoch.

    The median needs few trials and no brackets, and every sampler bears it; successive halving (Hyperband) would judge
    most trials by their first epochs, in which warm-up and averaged weights say least (so nothing is stopped in the
    first third). Trials of different lengths are not comparable, since the learning rate falls with the length.
    """
    return MedianPruner(n_startup_trials=_FIRST, n_warmup_steps=math.ceil(epochs / 3)) if comparable else NopPruner()


class Trainer:
    """Carries out one trial after the other, and keeps the photos decoded between them."""

    def __init__(self, plan: Plan, source: train.Source, *, quiet: bool) -> None:
        self._plan, self._source, self._quiet = plan, source, quiet
        self._data: dict[int, Data] = {}

    def run(self, study: optuna.Study, trial: optuna.Trial) -> str:
        """Carry out a trial, and write down how it ended.

        Returns:
            the end in a few words.

        Raises:
            PetparkError: neither this trial nor any other one can be carried out.
            Pause: the time was up; the trial is put back.
        """
        values = self._plan.space.values(trial.params)
        trial.set_user_attr(studies.SETTINGS, values)
        twin = next((each for each in studies.trials(study) if each.user_attrs[studies.SETTINGS] == values), None)
        if twin is not None:
            return _copy(study, trial, twin)
        history: History = []
        try:
            self._train(study, trial, values, history)
        except Pause:
            studies.put_back(study, trial.number, values)
            raise
        except _Worse:
            return _stop(study, trial, history, f"worse than half of the others after {len(history)} epochs")
        except ModelError as error:
            return _stop(study, trial, history, str(error))
        trial.set_user_attr(studies.HISTORY, history)
        study.tell(trial, score(history[-1]))
        return f"loss {history[-1]['validation_loss']:.4f}, accuracy {history[-1]['accuracy']:.1%}"

    def _train(self, study: optuna.Study, trial: optuna.Trial, values: Values, history: History) -> None:
        """Train to the end, or until the trial is to be stopped; `history` has the figures of each epoch then."""
        settings = parse(TrainSettings, {**self._plan.train.model_dump(), **values}, f"{PARAMS}: tune.search")
        study.pruner = pruner(settings.epochs, comparable="epochs" not in values)

        def watch(figures: History) -> None:
            for epoch in range(len(history), len(figures)):
                history.append(figures[epoch])
                trial.report(score(figures[epoch]), epoch)
                if len(history) < settings.epochs and trial.should_prune():
                    raise _Worse
            if len(history) < settings.epochs and time.time() > self._plan.deadline:
                raise Pause

        key = {"study": self._plan.study.name, "trial": studies.first(trial)}
        training, _ = train.prepare(self._source, settings, self._plan.seed, Team(), **key)
        data = self._load(settings)
        try:
            with self._silence():
                watch(training.run(data, watch)[1])
        except (_Worse, ModelError):
            training.checkpoint.remove()
            raise
        training.checkpoint.remove()

    def _load(self, settings: TrainSettings) -> Data:
        size = settings.image_size
        if size not in self._data:
            if len(self._data) >= _SIZES:
                self._data.clear()
            with studies.one_at_a_time("pixels"):
                self._data[size] = train.load(self._source, settings, PIXELS / str(size))
        return self._data[size]

    @contextlib.contextmanager
    def _silence(self) -> Iterator[None]:
        """Keep the lines of every epoch to ourselves, and where several processes train, their bars."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            if self._quiet:
                stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            yield


def _stop(study: optuna.Study, trial: optuna.Trial, history: History, reason: str) -> str:
    trial.set_user_attr(studies.HISTORY, history)
    trial.set_user_attr(studies.STOPPED, reason)
    study.tell(trial, state=TrialState.PRUNED)
    return f"stopped: {reason}"


def _copy(study: optuna.Study, trial: optuna.Trial, twin: FrozenTrial) -> str:
    """Give a trial the result of an earlier one with the same values: another training would end the same."""
    for epoch, value in twin.intermediate_values.items():
        trial.report(value, epoch)
    for name in (studies.HISTORY, studies.STOPPED):
        if name in twin.user_attrs:
            trial.set_user_attr(name, twin.user_attrs[name])
    study.tell(trial, twin.value if twin.state == TrialState.COMPLETE else None, twin.state)
    return f"the same as trial {twin.number}"
