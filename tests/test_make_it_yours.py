"""The README's three commands in a copy of this repository, with three labels of one's own, and what follows."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from petpark import lake, layout, predictions
from tests.conftest import draw, jpeg

ROOT = Path(__file__).parent.parent
TINTS = {"red": (230, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 230)}
EACH = 330

pytestmark = pytest.mark.timeout(900)


def run(folder: Path, *command: str, expect: int = 0) -> str:
    """Run a command there; returns what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == expect, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def photos(folder: Path, first: int, each: int) -> Path:
    """Draw so many photos of each label."""
    for place, (label, tint) in enumerate(TINTS.items()):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            seed = first + place * 100_000 + number
            (folder / label / f"{number}.jpg").write_bytes(jpeg(draw(seed, width=64, height=48, tint=tint)))
    return folder


def change(path: Path, *old_and_new: str) -> None:
    """Change text in a file, which must hold it."""
    text = path.read_text()
    for old, new in zip(old_and_new[::2], old_and_new[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, as the template gives it, with three labels in place of the sample."""
    folder = tmp_path_factory.mktemp("copy") / "my park"
    tracked = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "from the template")
    theirs = list(YAML(typ="safe").load(folder / layout.PARAMS)["ingest"]["batches"])
    run(folder, "petpark", "data", "add", str(photos(tmp_path_factory.mktemp("mine") / "mine", 0, EACH)))
    run(folder, "petpark", "data", "drop", *theirs)
    settings = YAML()
    params = settings.load(folder / layout.PARAMS)
    params["train"] |= {"epochs": 3, "image_size": 32, "model": "small", "weights": None, "freeze": "none"}
    params["ingest"]["short_side"], params["split"]["test_share"] = 48, 0.3
    settings.dump(params, folder / layout.PARAMS)
    run(folder, "dvc", "repro")
    return folder


def commit(folder: Path) -> None:
    run(folder, "dvc", "push", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "the result")


@pytest.fixture(scope="module")
def committed(copy: Path) -> Path:
    commit(copy)
    return copy


def test_three_labels_come_out_as_a_model_that_the_gate_lets_pass(copy: Path) -> None:
    said = run(copy, "petpark", "gate", "build", "--champion", "HEAD")
    assert "Verdict: yes" in said
    answers = predictions.read(copy / layout.PREDICTIONS)
    assert answers.labels == tuple(sorted(TINTS))
    assert len(answers.ids) > 200


def test_the_model_answers_for_photos_that_it_never_saw(copy: Path, tmp_path: Path) -> None:
    for label, tint in TINTS.items():
        (tmp_path / f"{label}.jpg").write_bytes(jpeg(draw(9_000_000, tint=tint)))
        assert label in run(copy, "petpark", "predict", str(tmp_path / f"{label}.jpg")).split()


def test_a_fresh_clone_has_nothing_to_do_and_fetches_nothing(committed: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(committed), "clone")
    clone = tmp_path / "clone"
    run(clone, "petpark", "lock", "fresh")
    assert "Running" not in run(clone, "dvc", "repro", "--pull", "--allow-missing")
    assert not (clone / "data").exists()
    assert not (clone / layout.MODEL).exists()
    assert run(clone, "git", "status", "--porcelain") == ""
    assert "Verdict: yes" in run(clone, "petpark", "gate", "build")


def test_a_changed_setting_of_evaluation_trains_nothing(committed: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(committed), "clone")
    clone = tmp_path / "clone"
    change(clone / layout.PARAMS, "resamples: 1000", "resamples: 500")
    run(clone, "petpark", "lock", "fresh", expect=1)
    said = run(clone, "dvc", "repro", "--pull", "--allow-missing")
    assert [line for line in said.splitlines() if line.startswith("Running")] == ["Running stage 'evaluate':"]
    assert not (clone / "data").exists()


def test_a_policy_change_needs_no_stage(committed: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(committed), "clone")
    clone = tmp_path / "clone"
    change(clone / layout.POLICY, "min_test_photos: 200", "min_test_photos: 99999")
    run(clone, "petpark", "lock", "fresh")
    assert "99" in run(clone, "petpark", "gate", "build", expect=1)


def test_one_more_batch_costs_itself_and_moves_nothing_out_of_test(committed: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(committed), "clone")
    clone = tmp_path / "clone"
    run(clone, "dvc", "pull", "-q", str(layout.SPLIT))
    before = set(lake.side(lake.read_split(clone / layout.SPLIT), "test").ids)
    run(clone, "petpark", "data", "add", str(photos(tmp_path / "more", 500_000, 20)))
    said = run(clone, "dvc", "repro", "--pull", "--allow-missing", "split")
    ran = [line for line in said.splitlines() if line.startswith("Running")]
    assert ran == ["Running stage 'ingest@more':", "Running stage 'split':"]
    assert not (clone / layout.archive("mine")).exists()
    assert before <= set(lake.side(lake.read_split(clone / layout.SPLIT), "test").ids)


def test_the_checks_on_the_repository_itself_still_pass(copy: Path) -> None:
    files = [f"tests/test_{name}.py" for name in ("documents", "import_graph", "repository", "requirements")]
    run(copy, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", "not help")


def test_the_evidence_names_what_was_judged(copy: Path) -> None:
    found = json.loads((copy / layout.EVALUATION).read_text())
    package = json.loads((copy / layout.PACKAGE).read_text())
    assert found["model"]["labels"] == sorted(TINTS)
    assert found["model"]["threshold"] == package["threshold"]
