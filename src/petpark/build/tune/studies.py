"""The study: one SQLite file with every trial of a search, that may be opened by several processes and killed."""

import fcntl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DatabaseError

from petpark import layout
from petpark.errors import SettingsError, SetupError

STUDY: Final = layout.REPORTS / "tune.db"
PAGE: Final = layout.REPORTS / "tune.html"
FOLDER: Final = layout.SCRATCH / "tune"
SETTINGS: Final = "settings"  # what a trial was trained with
HISTORY: Final = "history"  # its figures of each epoch
STOPPED: Final = "stopped"  # why it did not come to its end
ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED)
PHOTOS: Final = "photos"  # facts of a study, in words that complaints can use
VALIDATION: Final = "validation photos"
SHARD: Final = "shard"
_NAME: Final = "petpark"
_FACTS: Final = "facts"
_AGAIN: Final = "again"
_PATIENCE: Final = 20.0  # seconds: for another process to release the file, or to die with its parent

optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def opened(path: Path, *, new: bool = False) -> Iterator[optuna.Study]:
    """Open a study; a new one is made if there is none.

    Raises:
        SettingsError: there is no such file, or it is no study.
    """
    if not new and not path.is_file():
        raise SettingsError(f"{path} is missing: `petpark tune` makes it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    study, storage = _open(path, new=new)
    try:
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _open(path: Path, *, new: bool) -> tuple[optuna.Study, RDBStorage]:
    try:
        storage = RDBStorage(f"sqlite:///{path}", {"connect_args": {"timeout": _PATIENCE}})
        if new:
            optuna.create_study(storage=storage, study_name=_NAME, direction="minimize", load_if_exists=True)
        return optuna.load_study(storage=storage, study_name=_NAME), storage
    except (DatabaseError, KeyError, RuntimeError) as error:
        raise SettingsError(f"{path} is no study of `petpark tune` ({_reason(error)}): move it away.") from None


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def same_search(study: optuna.Study, facts: Mapping[str, Any], path: Path) -> None:
    """Write into a new study what it is about; an old one has to be about the same.

    Raises:
        SettingsError: the study is about something else, so that its trials say nothing about this search.
    """
    known = study.user_attrs.get(_FACTS)
    if known is None:
        study.set_user_attr(_FACTS, dict(facts))
        return
    other = [name for name, value in facts.items() if known.get(name) != value]
    if other:
        raise SettingsError(
            f"{path} holds a search with other {' and other '.join(other)}: move it away to begin anew, or restore "
            "them to go on with it."
        )


def facts(study: optuna.Study) -> dict[str, Any]:
    """What a study is about."""
    return dict(study.user_attrs.get(_FACTS, {}))


def trials(study: optuna.Study, states: Iterable[TrialState] = ENDED) -> list[FrozenTrial]:
    """The trials in some states, in the order in which they began."""
    return study.get_trials(deepcopy=False, states=tuple(states))


def put_back(study: optuna.Study, number: int, names: Iterable[str]) -> None:
    """Give up a trial that did not end, and let its values be tried again before any others.

    One that was killed before all its values were drawn is given up only: they are drawn again, the same.
    """
    trial = study.get_trials(deepcopy=False)[number]
    study.tell(number, state=TrialState.FAIL)
    if set(trial.params) == set(names):
        study.enqueue_trial(trial.params, user_attrs={_AGAIN: first(trial)})


def first(trial: FrozenTrial | optuna.Trial) -> int:
    """The number under which these values were tried first: the checkpoint of the training bears it."""
    return int(trial.user_attrs.get(_AGAIN, trial.number))


@contextmanager
def alone(path: Path, study: optuna.Study, names: Iterable[str]) -> Iterator[None]:
    """Let no other search work on this study, and put back the trials of one that was killed.

    Raises:
        SetupError: another search is at work.
    """
    with _lock(path).open("w") as lock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise SetupError(f"another `petpark tune` is at work on {path}: wait for it, or end it.")
            time.sleep(0.05)
        for trial in trials(study, [TrialState.RUNNING]):
            put_back(study, trial.number, names)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def working(path: Path) -> Iterator[None]:
    """What a worker process holds as long as it lives: a search that begins after a kill waits until all are gone."""
    with _lock(path).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Let one process do this at a time; a killed one is no obstacle."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock(path: Path) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return FOLDER / f"{path.name}.lock"
