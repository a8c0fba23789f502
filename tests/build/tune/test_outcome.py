"""What a search found: in words, as a page, written where it belongs; and the command that does all that."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from petpark.build.tune import outcome, studies
from petpark.build.tune.plan import Shard, plan, study_of
from petpark.cli import main
from petpark.config.params import Params, load_params
from petpark.errors import ModelError, SettingsError
from petpark.layout import PARAMS
from tests.build.conftest import one_thread
from tests.build.tune.conftest import SEED, TRAIN

SEARCH = {"learning_rate": {"low": 0.001, "high": 0.03, "log": True}, "crop": [0.4, 0.6, 1.0], "freeze": ["none"]}
TEXT = f"""# the pipeline
seed: {SEED}
ingest: {{short_side: 40}}
split: {{}}
validate: {{}}
package: {{}}
evaluate: {{}}
train: # the recipe
  image_size: 16
  epochs: 4 # few
  batch_size: 16
  learning_rate: 0.003 # by hand
  ema: 0.8
tune: {{search: {json.dumps(SEARCH)}}}
"""
Values = dict[str, Any]


@pytest.fixture
def settled(workspace: Path) -> Params:
    PARAMS.write_text(TEXT)
    return load_params()


def made(params: Params, *trials: tuple[Values, float, str], facts: Values | None = None) -> Path:
    """Make a study of trials (values, last loss, why stopped) as a search of these settings leaves it."""
    this = plan(params, "random", 1)
    with studies.opened(this.study, new=True) as study:
        about = {**this.facts(), studies.PHOTOS: "abc", studies.VALIDATION: 50, **(facts or {})}
        studies.same_search(study, about, this.study)
        for values, loss, stopped in trials:
            study.enqueue_trial(values)
            trial = study.ask(this.space.distributions)
            trial.set_user_attr(studies.SETTINGS, this.space.values(trial.params))
            history = [{"loss": 1.0, "accuracy": 1 - each / 4, "validation_loss": each} for each in (2 * loss, loss)]
            trial.set_user_attr(studies.HISTORY, history)
            for epoch, each in enumerate(history):
                trial.report(each["validation_loss"], epoch)
            if stopped:
                trial.set_user_attr(studies.STOPPED, stopped)
                study.tell(trial, state=studies.ENDED[1])
            else:
                study.tell(trial, loss)
    return this.study


def values(rate: float, crop: float) -> Values:
    return {"crop": crop, "freeze": "none", "learning_rate": rate}


def several(params: Params, count: int = 9) -> Path:
    """A study whose best trial is the third, with what is set now as its first."""
    trials = [(values(0.003, 0.6), 0.5, ""), (values(0.02, 1.0), 0.7, "worse than half of the others after 2 epochs")]
    trials += [(values(0.0101 + place / 2000, 0.4), 0.2 + place / 50, "") for place in range(count - 2)]
    return made(params, *trials)


def test_the_best_trials_stand_in_a_table_and_what_is_set_now_below_them(settled: Params) -> None:
    lines = outcome.told(several(settled), settled, write=False).splitlines()
    assert lines[1] == "9 trials, 1 stopped early. The best on the validation side:"
    table = [line.split() for line in lines[3:10]]
    assert table[0] == ["trial", "loss", "accuracy", "crop", "freeze", "learning_rate"]
    assert table[1] == ["2", "0.2000", "95.0%", "0.4", "none", "0.0101"]
    assert [row[0] for row in table[1:]] == ["2", "3", "4", "5", "6", "0"]
    assert len({len(line) for line in lines[3:10]}) == 1
    assert "One of the 50 validation photos is 2.0 points of accuracy" in lines[11]
    assert lines[-1] == "Next: `petpark tune show --write` writes trial 2 into params.yaml."
    assert PARAMS.read_text() == TEXT
    assert studies.PAGE.read_text().startswith("<!doctype html>")


def test_the_winner_is_written_and_what_changed_is_shown(settled: Params) -> None:
    said = outcome.told(several(settled), settled, write=True)
    new = TEXT.replace("0.003 # by hand", "0.0101 # by hand")
    new = new.replace("  ema: 0.8\n", "  ema: 0.8\n  crop: 0.4\n  freeze: none\n")
    assert PARAMS.read_text() == new
    assert "-  learning_rate: 0.003 # by hand\n" in said
    assert "+  learning_rate: 0.0101 # by hand\n" in said
    assert said.endswith("Next: `make run` trains with these settings, and the gate judges the model.")
    assert load_params().train == TRAIN.model_copy(
        update={"epochs": 4, "learning_rate": 0.0101, "crop": 0.4, "cache_gb": 8.0}
    )
    again = outcome.told(studies.STUDY, load_params(), write=True)
    assert again.endswith("params.yaml holds the settings of the best trial already.")
    assert PARAMS.read_text() == new


def test_of_equals_the_earlier_wins(settled: Params) -> None:
    made(settled, (values(0.003, 0.6), 0.3, ""), (values(0.01, 0.6), 0.2, ""), (values(0.02, 0.6), 0.2, ""))
    assert "writes trial 1 into" in outcome.told(studies.STUDY, settled, write=False)


def test_a_winner_of_another_search_is_not_written(settled: Params) -> None:
    several(settled)
    PARAMS.write_text(TEXT.replace("epochs: 4", "epochs: 5"))
    with pytest.raises(SettingsError, match="holds a search with other settings of train"):
        outcome.told(studies.STUDY, load_params(), write=True)
    assert "9 trials" in outcome.told(studies.STUDY, load_params(), write=False), "but it is shown"


def test_without_a_trial_that_ended_there_is_no_winner(settled: Params) -> None:
    made(settled, (values(0.01, 0.6), 0.2, "training failed in epoch 3"))
    with pytest.raises(ModelError, match="no trial came to its end: training failed in epoch 3"):
        outcome.told(studies.STUDY, settled, write=True)
    assert PARAMS.read_text() == TEXT


def test_what_mattered_is_said_where_enough_trials_ended(settled: Params) -> None:
    with studies.opened(several(settled, 30)) as study:
        found = outcome.read(study, settled)
    assert sum(found.importances.values()) == pytest.approx(1)
    assert list(found.importances) == sorted(found.importances, key=lambda name: -found.importances[name])
    assert found.importances["freeze"] == 0, "it had one value"
    studies.STUDY.unlink()
    with studies.opened(several(settled, 5)) as study:
        assert outcome.read(study, settled).importances == {}


def test_the_same_study_gives_the_same_page(settled: Params) -> None:
    outcome.told(several(settled, 12), settled, write=False)
    page = studies.PAGE.read_bytes()
    outcome.told(studies.STUDY, settled, write=False)
    assert studies.PAGE.read_bytes() == page


# The command


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with one_thread():
        status = main(["tune", *words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_search_by_the_command_and_then_a_longer_one(little_here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    PARAMS.write_text(TEXT)
    status, out, err = ask(capsys, "--trials", "2", "--sampler", "random")
    assert (status, err) == (0, "")
    assert re.findall(r"^\[\d/\d\]", out, re.MULTILINE) == ["[1/2]", "[2/2]"]
    assert "The search has its 2 trials." in out
    assert "2 trials, 0 stopped early" in out
    status, out, _ = ask(capsys, "--trials", "3", "--sampler", "random", "--write")
    assert re.findall(r"^\[\d/\d\]", out, re.MULTILINE) == ["[3/3]"]
    written = load_params().train
    with studies.opened(studies.STUDY) as study:
        assert len(studies.trials(study)) == 3
        best = study.best_trial.user_attrs[studies.SETTINGS]
    assert {name: getattr(written, name) for name in best} == best
    assert "# by hand" in PARAMS.read_text()


def test_two_machines_share_a_grid_and_a_third_merges(little_here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = {"learning_rate": [0.003, 0.01], "crop": [0.5, 1.0]}
    PARAMS.write_text(TEXT.replace(json.dumps(SEARCH), json.dumps(search)).replace("epochs: 4", "epochs: 1"))
    for shard in ("1/2", "2/2"):
        assert ask(capsys, "--sampler", "grid", "--shard", shard)[0] == 0
    parts = [str(study_of(Shard(number, 2))) for number in (1, 2)]
    status, out, _ = ask(capsys, "merge", parts[0])
    assert (status, out.splitlines()[0]) == (0, "Without shard 2: what it found is not in here.")
    studies.STUDY.unlink()
    status, out, _ = ask(capsys, "merge", *parts, "--write")
    assert status == 0
    assert "4 trials, 0 stopped early" in out
    with studies.opened(studies.STUDY) as study:
        assert load_params().train.learning_rate == study.best_params["learning_rate"]
    assert ask(capsys, "show", parts[0])[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--trials", "0"],
        ["--trials", "x"],
        ["--workers", "-1"],
        ["--sampler", "magic"],
        ["--shard", "3/2"],
        ["--shard", "2"],
        ["--shard", "0/2"],
        ["--timeout", "soon"],
        ["--timeout", "-1"],
        ["merge"],
        ["brew"],
    ],
    ids=" ".join,
)
def test_an_option_that_makes_no_sense_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["tune", *words])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: petpark tune")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "lake/split.parquet is missing"),
        (["show"], "reports/tune.db is missing: `petpark tune` makes it."),
        (["merge", "a.db"], "a.db is missing"),
    ],
)
def test_what_is_missing_is_one_sentence(
    settled: Params, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = ask(capsys, *words)
    assert (status, out) == (2, "")
    assert err.startswith(f"petpark: {sentence}")
    assert err.count("\n") == 1
    assert not studies.STUDY.exists()


def test_a_wrong_search_space_shows_before_anything_heavy_is_imported(workspace: Path) -> None:
    PARAMS.write_text(TEXT.replace('"crop": [0.4', '"crop": [4.4'))
    code = "import sys; from petpark.cli import main; print(main(['tune']), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "2 False\n"
    assert "params.yaml: tune.search: 'crop': Input should be less than or equal to 1 (found 4.4)" in done.stderr
