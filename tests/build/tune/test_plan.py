"""Which trial comes next: the same for any number of workers, shards and kills, and none twice."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from petpark.build.tune import studies
from petpark.build.tune.plan import Plan, Shard, plan, study_of
from petpark.config.params import Params
from petpark.errors import SettingsError, SetupError
from tests.build.tune.conftest import TRAIN, planned, tuned

pytestmark = pytest.mark.usefixtures("workspace")
GRID = {"crop": [0.4, 0.7, 1.0], "ema": [0.0, 0.9], "label_smoothing": [0.0, 0.1]}
Values = dict[str, Any]


def worth(values: Values) -> float:
    """A loss that costs no training."""
    return sum((index + 1) * abs(float(value) - 0.05) for index, value in enumerate(values.values()))


def carried_out(this: Plan, stop: Callable[[int], bool] = lambda _: False) -> list[Values]:
    """Claim and end trials until there are none left, or until one is left lying; returns what was tried."""
    with studies.opened(this.study, new=True) as study, studies.alone(this.study, study, this.space.distributions):
        while (trial := this.claim(study)) is not None:
            if stop(trial.number):
                break
            trial.set_user_attr(studies.SETTINGS, this.space.values(trial.params))
            study.tell(trial, worth(trial.params))
        return [trial.params for trial in studies.trials(study)]


def key(values: Values) -> str:
    return json.dumps(values, sort_keys=True)


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_the_same_seed_gives_the_same_trials_and_no_more_than_asked(sampler: Any) -> None:
    first = carried_out(planned(sampler, 12, study="a.db"))
    assert first == carried_out(planned(sampler, 12, study="b.db"))
    assert len(first) == 12
    assert len({key(values) for values in first}) == 12


def test_another_seed_gives_other_trials() -> None:
    from dataclasses import replace

    assert carried_out(planned(study="a.db"))[1:] != carried_out(replace(planned(study="b.db"), seed=4))[1:]


def test_tpe_learns_where_random_does_not() -> None:
    tpe, random = (carried_out(planned(sampler, 26, study=f"{sampler}.db")) for sampler in ("tpe", "random"))
    assert sum(map(worth, tpe[14:])) < 0.8 * sum(map(worth, random[14:]))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_first_trial_is_what_is_set_now(sampler: Any) -> None:
    search = {"learning_rate": {"low": 0.001, "high": 0.1}, "ema": [0.5, 0.8]}
    assert carried_out(planned(sampler, 2, search=search))[0] == {"ema": 0.8, "learning_rate": 0.003}


def test_settings_outside_the_space_are_not_tried() -> None:
    search = {"learning_rate": {"low": 0.01, "high": 0.1}}
    assert all(values["learning_rate"] >= 0.01 for values in carried_out(planned(search=search)))


def test_a_longer_search_goes_on_with_the_same_study() -> None:
    whole = carried_out(planned("tpe", 14, study="whole.db"))
    assert carried_out(planned("tpe", 11)) == whole[:11]
    assert carried_out(planned("tpe", 14)) == whole
    assert carried_out(planned("tpe", 5)) == whole, "what is there stays"


@pytest.mark.parametrize(("sampler", "at"), [("tpe", 1), ("tpe", 11), ("random", 0), ("grid", 1)])
def test_a_trial_left_lying_is_tried_again_first_and_nothing_else_changes(sampler: Any, at: int) -> None:
    undisturbed = carried_out(planned(sampler, 12, search=GRID, study="whole.db"))
    this = planned(sampler, 12, search=GRID)
    assert carried_out(this, lambda number: number == at) == undisturbed[:at]
    assert carried_out(this) == undisturbed
    with studies.opened(this.study) as study:
        states = [trial.state for trial in study.trials]
        assert states.count(TrialState.FAIL) == 1
        assert not {TrialState.RUNNING, TrialState.WAITING} & set(states)
        again = studies.trials(study)[at]
        assert (again.number, studies.first(again)) == (at + 1, at)


def test_one_that_was_killed_twice_keeps_its_first_number() -> None:
    this = planned("tpe", 12)
    carried_out(this, lambda number: number == 4)
    carried_out(this, lambda number: number == 5)
    assert carried_out(this) == carried_out(planned("tpe", 12, study="whole.db"))
    with studies.opened(this.study) as study:
        assert studies.first(studies.trials(study)[4]) == 4


def test_values_that_were_half_drawn_are_drawn_again() -> None:
    this = planned("random", 6)
    undisturbed = carried_out(planned("random", 6, study="whole.db"))
    carried_out(this, lambda number: number == 3)
    with studies.opened(this.study, new=True) as study:
        running = studies.trials(study, [TrialState.RUNNING])[0]
        names = [*this.space.distributions, "one more"]
        studies.put_back(study, running.number, names)
        assert not studies.trials(study, [TrialState.WAITING])
    assert carried_out(this) == undisturbed


def test_a_grid_ends_when_it_is_searched_through() -> None:
    this = planned("grid", None, search=GRID)
    assert this.most == 12
    assert sorted(map(key, carried_out(this))) == sorted(map(key, this.cells))
    with studies.opened(this.study) as study:
        assert this.searched_through(study)
    assert len(carried_out(planned("grid", 50, search=GRID))) == 12


def test_a_grid_goes_on_where_a_random_search_was() -> None:
    search = {"crop": {"low": 0.3, "high": 1.0}, "ema": [0.0, 0.9]}
    carried_out(planned("random", 4, search=search))
    assert len(carried_out(planned("grid", None, search=search))) == 4 + 6


@pytest.mark.parametrize(("sampler", "trials"), [("grid", None), ("random", 3)])
def test_shards_cover_exactly_what_one_search_covers(sampler: Any, trials: int | None) -> None:
    parts = [carried_out(planned(sampler, trials, Shard(number, 4), search=GRID)) for number in (1, 2, 3, 4)]
    whole = carried_out(planned(sampler, trials and 4 * trials, search=GRID, study="whole.db"))
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    dealt = [part[place] for place in range(3) for part in parts]
    assert dealt == whole
    if sampler == "grid":
        assert len({key(values) for values in dealt}) == 12


def test_a_grid_that_cannot_be_dealt_out_evenly_is_covered_all_the_same() -> None:
    parts = [carried_out(planned("grid", None, Shard(number, 5), search=GRID)) for number in range(1, 6)]
    assert sorted(map(len, parts)) == [2, 2, 2, 3, 3]
    assert len({key(values) for part in parts for values in part}) == 12


def test_claims_from_many_sides_are_never_the_same_and_never_too_many(workspace: Path) -> None:
    this = planned("grid", 10, search=GRID)

    def work(_: int) -> list[str]:
        claimed = []
        with studies.opened(this.study) as study:
            while (trial := this.claim(study)) is not None:
                claimed.append(key(trial.params))
                study.tell(trial, 1.0)
        return claimed

    with studies.opened(this.study, new=True):
        pass
    with ThreadPoolExecutor(4) as pool:
        claimed = [each for some in pool.map(work, range(4)) for each in some]
    assert len(claimed) == len(set(claimed)) == 10


# The study


def about(**changes: Any) -> dict[str, Any]:
    return planned(**changes).facts()


def test_a_study_is_about_what_would_change_its_trials_and_nothing_else() -> None:
    with studies.opened(Path("a.db"), new=True) as study:
        studies.same_search(study, about(), Path("a.db"))
        studies.same_search(study, about(learning_rate=0.5, cache_gb=2.0, processes=2), Path("a.db"))
        for changes, words in (
            ({"epochs": 4}, "other settings of train:"),
            ({"search": GRID}, "other search space and other settings of train:"),
            ({"shard": Shard(1, 2)}, "other shard:"),
        ):
            with pytest.raises(SettingsError, match=f"^a.db holds a search with {words} move it away"):
                studies.same_search(study, about(**changes), Path("a.db"))


def test_two_searches_never_work_on_one_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "_PATIENCE", 0.1)
    path = Path("a.db")
    with studies.opened(path, new=True) as study, studies.alone(path, study, ["x"]):
        with (
            pytest.raises(SetupError, match=r"another `petpark tune` is at work on a\.db"),
            studies.alone(path, study, ["x"]),
        ):
            pytest.fail("two at once")
        with studies.working(path):
            pass
    with studies.opened(path) as study, studies.alone(path, study, ["x"]):
        pass


def test_a_search_waits_for_the_workers_of_one_that_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "_PATIENCE", 0.1)
    path = Path("a.db")
    with (
        studies.opened(path, new=True) as study,
        studies.working(path),
        pytest.raises(SetupError),
        studies.alone(path, study, ["x"]),
    ):
        pytest.fail("a worker is alive")


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be read as one" * 20, None])
def test_what_is_no_study_is_one_sentence(content: bytes | None) -> None:
    path = Path("a.db")
    if content is not None:
        path.write_bytes(content)
    with (
        pytest.raises(SettingsError, match=r"^a\.db is (missing: `petpark tune` makes|no study of)"),
        studies.opened(path),
    ):
        pytest.fail("opened")
    assert path.exists() == (content is not None)


def test_a_study_of_something_else_is_one_sentence() -> None:
    storage = optuna.storages.RDBStorage("sqlite:///a.db")
    optuna.create_study(storage=storage, study_name="theirs")
    storage.remove_session()
    storage.engine.dispose()
    with pytest.raises(SettingsError, match="no study of `petpark tune`"), studies.opened(Path("a.db")):
        pytest.fail("opened")


def test_a_plan_is_made_of_the_settings() -> None:
    params = Params.model_validate(
        {
            "seed": 9,
            **{name: {} for name in ("split", "validate", "package", "evaluate")},
            "ingest": {"short_side": 40},
            "train": TRAIN.model_dump(),
            "tune": tuned(GRID).model_dump(),
        }
    )
    made = plan(params, "grid", None, Shard(2, 3))
    assert (made.seed, made.train, made.most) == (9, TRAIN, 4)
    assert made.study == study_of(Shard(2, 3)) == Path("reports/tune-2-of-3.db")
    assert study_of(Shard()) == Path("reports/tune.db")
    empty = params.model_copy(update={"tune": tuned({})})
    with pytest.raises(SettingsError, match="is empty"):
        plan(empty, "tpe", 5)
