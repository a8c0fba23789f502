"""What the gate judges is of one checkout, and says what it was compared with, in real repositories."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from petpark import layout
from petpark.build.review import review
from petpark.cli import main
from petpark.config.policy import Policy
from petpark.errors import DataError, SetupError
from petpark.evidence.build import BuildEvidence, Comparison
from tests import models
from tests.build import checkouts
from tests.build.data.repository import git
from tests.test_gate import HEALTHY, changed

# pygtrie, under DVC, warns of itself when DVC looks for an output
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

Text = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with evidence that no rule objects to."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        checkouts.make(HEALTHY)
    return root


@pytest.fixture
def checkout(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the current folder."""
    root = tmp_path / "checkout"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


def reviewed(champion: str | None = None) -> BuildEvidence:
    return review(champion, Policy(), seed=0)


def refusal(champion: str | None = None) -> str:
    with pytest.raises(DataError) as error:
        reviewed(champion)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_evidence_of_this_checkout_is_judged(checkout: Path) -> None:
    found = reviewed()
    expected = HEALTHY.model_copy(update={"comparison": None, "uncompared": found.uncompared})
    assert found == expected


def test_a_changed_setting_asks_for_a_run_and_gives_no_verdict(checkout: Path, capfd: Text) -> None:
    layout.PARAMS.write_text(checkouts.PARAMS.replace("train: {}", "train: {epochs: 3}"))
    assert main(["gate", "build"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ("petpark: The evidence is not that of what is checked out (has to run: judge): run `make run`.\n")


@pytest.mark.parametrize("kind", ["validation", "package", "evaluation"])
def test_evidence_that_the_lock_does_not_know_is_refused(checkout: Path, kind: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "validation": {"validation.duplicates": 8},
        "package": {"package.why": "by hand"},
        "evaluation": {"evaluation.model.code": "by hand"},
    }
    checkouts.laid(changed(BuildEvidence, HEALTHY, changes[kind]))
    assert "has to run: judge" in refusal()


def test_without_a_lock_there_is_no_verdict_and_dvc_keeps_silent(checkout: Path, capfd: Text) -> None:
    Path("dvc.lock").unlink()
    assert refusal() == ("The evidence is not that of what is checked out (there is no dvc.lock yet): run `make run`.")
    assert capfd.readouterr() == ("", "")


def test_evidence_about_another_model_than_the_one_here_is_refused(checkout: Path) -> None:
    models.save(layout.MODEL, metadata=models.card(threshold=0.8))
    assert refusal() == "reports/evaluation.json is not about models/model.onnx: run `dvc repro -f evaluate`."


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluation.model.sha256": "0" * 63 + "1"},
        {"evaluation.model.labels": ["horse", "pig", "sow"], "evaluation.classes.0.label": "horse"}
        | {"evaluation.classes.1.label": "pig", "evaluation.classes.2.label": "sow"},
        {"package.image_size": 2},
        {"package.threshold": 0.1},
    ],
)
def test_evidence_that_does_not_belong_together_is_a_no(checkout: Path, changes: dict[str, Any], capsys: Text) -> None:
    checkouts.reproduced(changed(BuildEvidence, HEALTHY, changes))
    assert main(["gate", "build"]) == 1
    assert "Verdict: no" in capsys.readouterr().out


def test_outside_git_it_says_so(workspace: Path) -> None:
    with pytest.raises(SetupError, match=r"^This is no Git repository: go to the root of one, or .*`git init`"):
        reviewed()


def test_outside_dvc_it_says_so(checkout: Path) -> None:
    shutil.rmtree(".dvc")
    with pytest.raises(SetupError, match="This is no DVC repository"):
        reviewed()


def test_who_names_no_champion_is_told_why_nothing_was_compared(checkout: Path, capsys: Text) -> None:
    assert reviewed().uncompared == "dvc.lock of HEAD names no models/model.onnx"
    assert main(["gate", "build"]) == 0
    assert "\nCompared with nothing, because dvc.lock of HEAD names no models/model.onnx.\n" in capsys.readouterr().out


def test_a_named_champion_without_a_model_is_an_error(checkout: Path) -> None:
    sentence = "There is nothing to compare with, because dvc.lock of main names no models/model.onnx"
    assert refusal("main") == f"{sentence}: name another champion."


def test_a_named_champion_in_a_repository_without_commits_is_an_error(checkout: Path) -> None:
    shutil.rmtree(".git")
    git("init", "--quiet")
    assert reviewed().uncompared == "this repository has no commit yet"
    assert "There is no Git revision 'nonsense'" in refusal("nonsense")
    assert "because this repository has no commit yet" in refusal("HEAD")


def compared_here(monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Stand in for a comparison: tests/build/test_compare.py makes real ones."""
    found = HEALTHY.comparison
    assert found is not None
    monkeypatch.setattr("petpark.build.review.compare", lambda *_: found)
    return found


def test_the_comparison_is_kept_beside_the_other_evidence(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared_here(monkeypatch)
    assert reviewed().comparison == found
    assert Comparison.read(layout.COMPARISON) == found
    monkeypatch.undo()
    monkeypatch.chdir(checkout)
    assert reviewed().comparison is None
    assert not layout.COMPARISON.exists(), "that of another day is no evidence"


def test_a_verdict_needs_no_place_to_write(checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: Text) -> None:
    compared_here(monkeypatch)
    monkeypatch.setattr(layout, "COMPARISON", layout.POLICY / "comparison.json")  # no folder, even to root
    assert main(["gate", "build"]) == 0
    out, err = capsys.readouterr()
    assert "Compared with the champion of 0123456789ab on 440 photos" in out
    assert err.startswith("petpark: policy.yaml/comparison.json is not up to date (")


def test_git_passes_the_comparison_over(made: Path) -> None:
    ignored = (Path(__file__).parents[2] / ".gitignore").read_text().splitlines()
    assert f"/{layout.COMPARISON}" in ignored
