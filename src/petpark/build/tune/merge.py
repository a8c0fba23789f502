"""Several studies become one: the parts of a search that several machines shared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from petpark import files
from petpark.build.tune import studies
from petpark.errors import SettingsError

_Part = tuple[int, int, FrozenTrial]  # place in its own study, number of its shard, the trial


def merge(sources: Sequence[Path], target: Path) -> list[int]:
    """Make one study of several; what was tried twice counts once.

    Returns:
        the numbers of the shards that are missing.

    Raises:
        SettingsError: a file is missing or no study, the studies are about different things, or the target is in the
            way.
    """
    if target.exists() and target.resolve() not in {path.resolve() for path in sources}:
        raise SettingsError(f"{target} holds a search already: name it among the studies to merge, or move it away.")
    facts: dict[str, Any] = {}
    shards: list[list[int]] = []
    parts: list[_Part] = []
    for path in sources:
        with studies.opened(path) as study:
            about = studies.facts(study)
            shard = about.pop(studies.SHARD, [1, 1])
            other = [name for name in about if facts and about[name] != facts.get(name)]
            if other:
                raise SettingsError(f"{path} is a search with other {' and other '.join(other)} than {sources[0]}.")
            facts = about
            shards.append(shard)
            parts += [(place, shard[0], trial) for place, trial in enumerate(studies.trials(study))]
    _write(target, {**facts, studies.SHARD: [1, 1]}, _once(parts))
    return _missing(shards)


def _missing(shards: Sequence[Sequence[int]]) -> list[int]:
    count = max(count for _, count in shards)
    whole = [1, 1] in shards  # such as one that was merged before
    return [] if whole else sorted(set(range(1, count + 1)) - {number for number, _ in shards})


def _once(parts: list[_Part]) -> list[FrozenTrial]:
    """The trials in the order of one search; of those with the same values, the first that came to its end."""
    kept: dict[str, FrozenTrial] = {}
    for _, _, trial in sorted(parts, key=lambda part: part[:2]):
        key = repr(sorted(trial.user_attrs[studies.SETTINGS].items()))
        if key not in kept or (kept[key].state, trial.state) == (TrialState.PRUNED, TrialState.COMPLETE):
            kept[key] = trial
    return list(kept.values())


def _write(target: Path, facts: dict[str, Any], trials: Sequence[FrozenTrial]) -> None:
    with files.whole(target) as partial, studies.opened(partial, new=True) as study:
        studies.same_search(study, facts, partial)
        study.add_trials(trials)
