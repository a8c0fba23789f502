"""What a search found: in words, as a page, and written into `params.yaml`."""

import math
from pathlib import Path
from typing import Final

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from petpark import files
from petpark.build.tune import studies, winner
from petpark.build.tune.plan import plan
from petpark.config.params import Params
from petpark.errors import ModelError
from petpark.report import searches
from petpark.report.scales import said
from petpark.report.trials import Search, Trial
from petpark.report.words import count, points

_SHOWN: Final = 5
_TOO_FEW: Final = 8  # trials, for saying which settings mattered
_LEAST: Final = 1e-5  # loss: it is rounded to as much


def told(path: Path, params: Params, *, write: bool) -> str:
    """Say what a search found, make its page, and if so wished write the winner into `params.yaml`.

    Raises:
        SettingsError: there is no such study, or it cannot be written from.
        ModelError: no trial came to its end.
    """
    with studies.opened(path) as study:
        found = read(study, params)
        if write:
            about = plan(params, "random", 1).facts()
            known = {name: value for name, value in about.items() if name != studies.SHARD}
            studies.same_search(study, known, path)
    files.write_text(studies.PAGE, searches.render(found))
    lines = [*_summary(found), f"The page: {studies.PAGE}"]
    return "\n".join([*lines, *(_written(found) if write else _next(found))])


def read(study: optuna.Study, params: Params) -> Search:
    """Make of a study what its page shows.

    Raises:
        ModelError: no trial came to its end.
    """
    complete = ended(study)
    kinds = complete[0].distributions
    return Search(
        trials=tuple(map(_trial, studies.trials(study))),
        logarithmic=frozenset(name for name, kind in kinds.items() if getattr(kind, "log", False)),
        listed={name: kind.choices for name, kind in kinds.items() if isinstance(kind, CategoricalDistribution)},
        now={name: getattr(params.train, name) for name in sorted(kinds)},
        photos=int(studies.facts(study).get(studies.VALIDATION, 0)),
        importances=_importances(study) if len(complete) >= _TOO_FEW else {},
    )


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that came to their end.

    Raises:
        ModelError: there is none.
    """
    complete = studies.trials(study, [TrialState.COMPLETE])
    if not complete:
        reasons = [trial.user_attrs.get(studies.STOPPED) for trial in studies.trials(study)]
        raise ModelError(f"no trial came to its end{f': {reasons[-1]}' if reasons else ' yet.'}")
    return complete


def _trial(trial: FrozenTrial) -> Trial:
    history = trial.user_attrs.get(studies.HISTORY, [])
    losses, accuracies = (tuple(each[name] for each in history) for name in ("validation_loss", "accuracy"))
    stopped = str(trial.user_attrs.get(studies.STOPPED, ""))
    return Trial(trial.number, trial.user_attrs[studies.SETTINGS], losses, accuracies, stopped)


def _importances(study: optuna.Study) -> dict[str, float]:
    """The share of the variance of the log loss that each setting explains (Hutter et al., fANOVA, 2014)."""
    found = get_param_importances(
        study,
        evaluator=FanovaImportanceEvaluator(seed=0),
        target=lambda trial: math.log(max(float(trial.value or 0), _LEAST)),
    )
    return {name: share for name, share in found.items() if math.isfinite(share)}


def _summary(found: Search) -> list[str]:
    stopped = len(found.trials) - len(found.ended)
    names = list(found.best.values)
    rows = [["trial", "loss", "accuracy", *names]]
    rows += [_row(trial) for trial in found.ended[:_SHOWN]]
    if found.present is not None and found.present not in found.ended[:_SHOWN]:
        rows.append(_row(found.present))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = f"{count(len(found.trials), 'trial')}, {stopped} stopped early. The best on the validation side:"
    return ["", head, "", *table, "", *_caution(found)]


def _row(trial: Trial) -> list[str]:
    return [str(trial.number), f"{trial.loss:.4f}", f"{trial.accuracy:.1%}", *map(said, trial.values.values())]


def _caution(found: Search) -> list[str]:
    one = points(1 / max(1, found.photos))
    lines = [
        f"One of the {count(found.photos, 'validation photo')} is {one} of accuracy, so trials are ordered by loss."
    ]
    if found.present is not None:
        lines.append(f"params.yaml says what trial {found.present.number} tried.")
    return lines


def _written(found: Search) -> list[str]:
    changes = winner.write(found.best.values)
    if not changes:
        return ["params.yaml holds the settings of the best trial already."]
    return ["", changes, "", "Next: `make run` trains with these settings, and the gate judges the model."]


def _next(found: Search) -> list[str]:
    if found.best is found.present:
        return ["params.yaml holds the settings of the best trial already."]
    return [f"Next: `petpark tune show --write` writes trial {found.best.number} into params.yaml."]
