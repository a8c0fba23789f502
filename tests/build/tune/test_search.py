"""A search with real trainings: what it tries, what it leaves, and how it ends."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from petpark import lake, layout
from petpark.build import pixels
from petpark.build import train as trainer
from petpark.build.checkpoint import Checkpoint
from petpark.build.train import train
from petpark.build.tune import outcome, studies, trial, workers
from petpark.build.tune.plan import Plan, Shard
from petpark.build.tune.search import search
from petpark.config.train import TrainSettings
from petpark.errors import DataError, ModelError, SettingsError
from tests.build.conftest import one_thread
from tests.build.tune.conftest import SEED, TRAIN, planned


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def carried_out(this: Plan, workers: int = 1) -> list[str]:
    """Carry out a search; returns what it said."""
    said: list[str] = []
    search(this, workers, said.append)
    return said


def ended(this: Plan) -> list[FrozenTrial]:
    with studies.opened(this.study) as study:
        return studies.trials(study)


def results(this: Plan) -> list[tuple[Any, ...]]:
    """All that matters of the trials of a study."""
    return [
        (
            each.state,
            each.value,
            each.intermediate_values,
            each.user_attrs[studies.SETTINGS],
            each.user_attrs["history"],
        )
        for each in ended(this)
    ]


# What a trial is


def test_a_trial_is_a_training_of_the_stage(little_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    this = planned("grid", None, search={"learning_rate": [0.01], "crop": [0.5]})
    carried_out(this)
    (only,) = ended(this)
    logged: list[list[dict[str, float]]] = []
    monkeypatch.setattr(trainer, "_log", logged.append)
    train(TRAIN.model_copy(update={"learning_rate": 0.01, "crop": 0.5}), SEED)
    assert logged == [only.user_attrs[studies.HISTORY]]
    assert only.value == logged[0][-1]["validation_loss"]
    assert only.user_attrs[studies.SETTINGS] == {"crop": 0.5, "learning_rate": 0.01}


def test_a_search_leaves_a_study_and_touches_no_stage(little_here: Path) -> None:
    for path in (layout.WEIGHTS, layout.TRAINING / "metrics.json", pixels.FOLDER / "mine" / "decoded.bin"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    carried_out(planned("random", 2))
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert before.items() <= after.items()
    new = {path.parts[:2] for path in after.keys() - before.keys()}
    assert new == {("study.db",), (".petpark", "tune")}
    assert list(Path(".petpark/checkpoints").iterdir()) == []


def test_no_test_photo_is_seen(little_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    stored = lake.Photos.stored

    def listen(photos: lake.Photos) -> Iterator[tuple[int, bytes]]:
        seen.update(photos.column("side").tolist())
        return stored(photos)

    monkeypatch.setattr(lake.Photos, "stored", listen)
    carried_out(planned("random", 1))
    assert seen == {"train", "validation"}


def test_photos_are_decoded_once_for_each_size(little_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[str, int]] = []
    squares = pixels.squares

    def listen(photos: lake.Photos, size: int, title: str) -> Any:
        decoded.append((photos.column("side").tolist()[0], size))
        return squares(photos, size, title)

    monkeypatch.setattr(pixels, "squares", listen)
    search_space = {"image_size": [16, 24], "learning_rate": [0.003, 0.01]}
    carried_out(planned("grid", None, search=search_space, epochs=1))
    train_sizes = sorted(size for side, size in decoded if side == "train")
    assert train_sizes == [round(16 * 8 / 7), round(24 * 8 / 7)]
    assert len(decoded) == 4
    decoded.clear()
    carried_out(planned("grid", None, search={**search_space, "crop": [0.5]}, epochs=1, study="more.db"))
    assert {side for side, _ in decoded} == {"validation"}, "another search finds them"


def test_the_same_search_gives_the_same_study(little_here: Path) -> None:
    for name in ("a.db", "b.db"):
        carried_out(planned("tpe", 8, study=name))
    first = results(planned(study="a.db"))
    assert first == results(planned(study="b.db"))
    assert len(first) == 8


def test_a_trial_that_was_tried_before_is_not_trained_again(little_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[TrainSettings] = []
    prepare = trainer.prepare

    def listen(source: Any, settings: TrainSettings, *rest: Any, **more: Any) -> Any:
        trained.append(settings)
        return prepare(source, settings, *rest, **more)

    monkeypatch.setattr(trainer, "prepare", listen)
    this = planned("random", 8, search={"freeze": ["none", "batchnorm"]}, epochs=1)
    said = carried_out(this)
    assert len(trained) == 2
    assert sum("the same as trial" in line for line in said) == 6
    values = {each.user_attrs[studies.SETTINGS]["freeze"]: each.value for each in ended(this)}
    assert [each.value for each in ended(this)] == [values[each.params["freeze"]] for each in ended(this)]
    assert all(each.intermediate_values for each in ended(this))


# How trials end


def given(this: Plan, *values: dict[str, Any]) -> list[str]:
    """Carry out a search whose values are given."""
    with studies.opened(this.study, new=True) as study:
        for each in values:
            study.enqueue_trial(each)
    return carried_out(this)


def test_a_trial_that_promises_little_is_stopped(little_here: Path) -> None:
    rates = [0.003, 0.004, 0.005, 0.006, 1e-7, 0.007, 1e-6]
    this = planned("random", 7, search={"learning_rate": {"low": 1e-7, "high": 0.1}}, epochs=6)
    said = given(this, *({"learning_rate": rate} for rate in rates))
    states = [each.state for each in ended(this)]
    assert states == [TrialState.COMPLETE] * 6 + [TrialState.PRUNED], "the first few always come to their end"
    last = ended(this)[-1]
    assert len(last.intermediate_values) == len(last.user_attrs[studies.HISTORY]) == 3, "not in the first third"
    assert said[6] == "[7/7] learning_rate 1e-06: stopped: worse than half of the others after 3 epochs"
    assert list(Path(".petpark/checkpoints").iterdir()) == []


def test_trials_of_different_lengths_are_not_compared(little_here: Path) -> None:
    space = {"learning_rate": {"low": 1e-7, "high": 0.1}, "epochs": {"low": 1, "high": 3}}
    this = planned("random", 6, search=space)
    given(this, *({"learning_rate": rate, "epochs": 3} for rate in (0.003, 0.004, 0.005, 0.006, 0.007, 1e-7)))
    assert {each.state for each in ended(this)} == {TrialState.COMPLETE}


def test_a_trial_that_explodes_is_told_and_the_search_goes_on(little_here: Path) -> None:
    this = planned("random", 2, search={"learning_rate": {"low": 1e-4, "high": 1e30}}, epochs=1)
    said = given(this, {"learning_rate": 1e30}, {"learning_rate": 0.01})
    assert "stopped: training failed in epoch 1: its loss is no finite number." in said[0]
    assert [each.state for each in ended(this)] == [TrialState.PRUNED, TrialState.COMPLETE]
    assert "[2/2] learning_rate 0.01: loss" in said[1]


def test_settings_that_do_not_go_together_are_told_and_the_search_goes_on(little_here: Path) -> None:
    this = planned("grid", None, search={"model": ["alexnet", "small"], "image_size": [16]}, epochs=1)
    said = "\n".join(carried_out(this))
    assert "stopped: train.image_size: 'alexnet' takes no pictures of 16 pixels" in said
    assert {each.state for each in ended(this)} == {TrialState.PRUNED, TrialState.COMPLETE}


def test_a_lake_that_is_not_whole_ends_the_search_in_one_sentence(little_here: Path) -> None:
    next(layout.shard("second").iterdir()).unlink()
    with pytest.raises(DataError, match="part-00000"):
        carried_out(planned())


def test_other_photos_are_another_search(little_here: Path) -> None:
    this = planned("random", 1, epochs=1)
    carried_out(this)
    shard = next(layout.shard("second").iterdir())
    shard.rename(shard.with_name("part-00009.parquet"))
    with pytest.raises(SettingsError, match=r"^study\.db holds a search with other photos: move it away"):
        carried_out(this)


# Pauses


def test_when_the_time_is_up_a_trial_pauses_after_its_epoch_and_goes_on_later(
    little_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = planned("tpe", 2, study="whole.db")
    carried_out(undisturbed)
    this = planned("tpe", 2)
    clock = iter([0.0, 0.0, 2.0])  # before the trial, after its first epoch, after its second one

    class Clock:
        @staticmethod
        def time() -> float:
            return next(clock)

    for module in (trial, workers):
        monkeypatch.setattr(module, "time", Clock())
    said = carried_out(dataclasses.replace(this, deadline=1.0))
    assert said == ["The time is up after 0 of 2 trials: run the same command again to go on."]
    monkeypatch.undo()
    monkeypatch.chdir(little_here)
    resumed: list[int] = []
    load = Checkpoint.load

    def listen(self: Checkpoint) -> Any:
        state = load(self)
        resumed.append(state["step"] if state else 0)
        return state

    monkeypatch.setattr(Checkpoint, "load", listen)
    carried_out(this)
    per_epoch = len(lake.side(lake.read_split(), "train")) // TRAIN.batch_size
    assert resumed == [2 * per_epoch, 0]
    assert results(this) == results(undisturbed)


def test_no_trial_begins_when_the_time_is_up(little_here: Path) -> None:
    this = dataclasses.replace(planned("tpe", 2), deadline=0.0)
    assert carried_out(this) == ["The time is up after 0 of 2 trials: run the same command again to go on."]
    assert ended(this) == []


# Several processes


def test_several_processes_share_a_study_and_end_with_as_many_trials_as_asked(little_here: Path) -> None:
    this = planned("random", 9)
    said = carried_out(this, workers=3)
    assert len(said) == 10
    assert said[-1] == "The search has its 9 trials."
    assert len(ended(this)) == 9
    with studies.opened(this.study) as study:
        assert len(study.trials) == 9
    alone = planned("random", 9, study="alone.db")
    carried_out(alone)
    tried = [sorted(repr(each.user_attrs[studies.SETTINGS]) for each in ended(which)) for which in (this, alone)]
    assert tried[0] == tried[1], "random draws do not depend on who draws"
    assert list(Path(".petpark/checkpoints").iterdir()) == []


def test_shards_find_together_what_one_search_finds(little_here: Path) -> None:
    space = {"learning_rate": [1e-5, 0.003, 0.02], "crop": [0.5, 1.0]}
    parts = [planned("grid", None, Shard(number, 2), search=space, epochs=2) for number in (1, 2)]
    for part in parts:
        carried_out(part)
    whole = planned("grid", None, search=space, epochs=2, study="whole.db")
    assert carried_out(whole)[-1] == "The grid is searched through: all of its 6 combinations were tried."
    found = {repr(each.user_attrs[studies.SETTINGS]): each.value for part in parts for each in ended(part)}
    ended_whole = {repr(each.user_attrs[studies.SETTINGS]): each.value for each in ended(whole)}
    same = {name for name in found if found[name] == ended_whole[name]}
    assert found.keys() == ended_whole.keys()
    assert min(found, key=lambda name: found[name] or 9.0) in same


def test_a_lake_that_is_not_whole_ends_every_process(little_here: Path) -> None:
    this = planned("random", 4)
    with studies.opened(this.study, new=True):
        pass
    source = trainer.Source.read()
    next(layout.shard("second").iterdir()).unlink()
    with pytest.raises(DataError, match="part-00000"):
        workers.carry_out(this, source, 2, print)


def test_no_trial_at_all_is_said(little_here: Path) -> None:
    this = planned("random", 2, search={"learning_rate": [1e30]}, epochs=1)
    carried_out(this)
    with (
        studies.opened(this.study) as study,
        pytest.raises(ModelError, match="no trial came to its end: training"),
    ):
        outcome.ended(study)
