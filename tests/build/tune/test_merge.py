"""Studies that become one: in the order of one search, with each of its trials once."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from petpark.build.tune import studies
from petpark.build.tune.merge import merge
from petpark.build.tune.plan import Plan, Shard
from petpark.errors import SettingsError
from tests.build.tune.conftest import planned
from tests.build.tune.test_plan import GRID, worth

pytestmark = pytest.mark.usefixtures("workspace")
TARGET = Path("all.db")


def searched(this: Plan, *, pruned: bool = False, facts: dict[str, Any] | None = None) -> Path:
    """A study of that plan whose trials cost no training; some are stopped early, and one was killed."""
    with studies.opened(this.study, new=True) as study:
        studies.same_search(study, {**this.facts(), studies.PHOTOS: "abc", **(facts or {})}, this.study)
        with studies.alone(this.study, study, this.space.distributions):
            while (trial := this.claim(study)) is not None:
                _end(this, study, trial, pruned=pruned)
    return this.study


def _end(this: Plan, study: optuna.Study, trial: optuna.Trial, *, pruned: bool) -> None:
    trial.set_user_attr(studies.SETTINGS, this.space.values(trial.params))
    trial.report(worth(trial.params), 0)
    if trial.number == 1:
        studies.put_back(study, 1, this.space.distributions)
    elif pruned and trial.number % 2:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, worth(trial.params))


def results(path: Path) -> list[tuple[Any, ...]]:
    with studies.opened(path) as study:
        return [
            (each.params, each.value, each.state, each.intermediate_values, each.user_attrs[studies.SETTINGS])
            for each in studies.trials(study)
        ]


@pytest.mark.parametrize(("sampler", "trials"), [("grid", None), ("random", 3)])
def test_the_parts_become_what_one_search_would_have_been(sampler: Any, trials: int | None) -> None:
    parts = [searched(planned(sampler, trials, Shard(number, 4), search=GRID)) for number in (1, 2, 3, 4)]
    whole = searched(planned(sampler, trials and 12, search=GRID, study="whole.db"))
    assert merge([parts[2], parts[0], parts[3], parts[1]], TARGET) == []
    if sampler == "grid":
        assert results(TARGET) == results(whole)
    else:  # what random draws twice counts once
        assert [each for each in results(TARGET) if each in results(whole)] == results(TARGET)
    with studies.opened(TARGET) as merged, studies.opened(whole) as one:
        assert merged.best_params == one.best_params
        assert studies.facts(merged) == studies.facts(one)


def test_a_merged_study_goes_on_as_any_other() -> None:
    parts = [searched(planned("grid", 2, Shard(number, 2), search=GRID)) for number in (1, 2)]
    merge(parts, TARGET)
    this = planned("grid", None, search=GRID, study=str(TARGET))
    searched(this)
    assert len(results(TARGET)) == 12
    with studies.opened(TARGET) as study:
        assert this.searched_through(study)


def test_a_shard_that_is_missing_is_named() -> None:
    parts = [searched(planned("grid", None, Shard(number, 4), search=GRID)) for number in (1, 4)]
    assert merge(parts, TARGET) == [2, 3]


def test_a_study_that_is_named_twice_counts_once() -> None:
    part = searched(planned("grid", None, search=GRID))
    merge([part, part], TARGET)
    assert results(TARGET) == results(part)


def test_of_the_same_trial_the_one_that_came_to_its_end_counts() -> None:
    stopped = searched(planned("grid", None, search=GRID), pruned=True)
    whole = searched(planned("grid", None, search=GRID, study="whole.db"))
    for order in ([stopped, whole], [whole, stopped]):
        merge(order, TARGET)
        assert {state for _, _, state, *_ in results(TARGET)} == {TrialState.COMPLETE}
        TARGET.unlink()


def test_more_may_be_merged_into_what_was_merged_before() -> None:
    parts = [searched(planned("grid", None, Shard(number, 2), search=GRID)) for number in (1, 2)]
    merge(parts[:1], TARGET)
    with pytest.raises(SettingsError, match=r"^all\.db holds a search already: name it"):
        merge(parts[1:], TARGET)
    assert merge([TARGET, parts[1]], TARGET) == []
    assert len(results(TARGET)) == 12


def test_what_is_about_something_else_is_refused_and_nothing_is_written() -> None:
    first = searched(planned("grid", None, Shard(1, 2), search=GRID))
    other = searched(planned("grid", None, Shard(2, 2), search=GRID, study="other.db"), facts={studies.PHOTOS: "def"})
    with pytest.raises(SettingsError, match=r"^2-other\.db is a search with other photos than 1-study\.db\.$"):
        merge([first, other], TARGET)
    assert not TARGET.exists()
    assert list(Path().glob(".all*")) == []


def test_a_missing_file_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match=r"^nowhere\.db is missing"):
        merge([Path("nowhere.db")], TARGET)
