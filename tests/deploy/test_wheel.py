"""The wheel with the model inside: what it holds, that it is always the same, and that it works on its own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from email import message_from_bytes
from pathlib import Path

import numpy as np
import pytest

from petpark import embedded, files, golden, layout
from petpark.deploy.bundle import wheel
from tests.deploy.checkouts import ROOT, git, make

RUNS_ON = {"numpy", "onnxruntime", "pillow", "simplejpeg"}


def build(checkout: Path, *words: str, **settings: str) -> dict[str, str]:
    """Build the wheel of a checkout by the command, and return what it says."""
    command = [sys.executable, "-m", "petpark", "wheel", "build", *words]
    done = subprocess.run(
        command, cwd=checkout, check=False, capture_output=True, text=True, env={**os.environ, **settings}
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("wheel") / "a checkout")


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    """A wheel of version 1.2.0 that brings an index along."""
    (checkout / layout.MODELS / embedded.INDEX).write_bytes(b"an index")
    return checkout / build(checkout, "--version", "1.2.0")["wheel"]


@pytest.fixture(scope="module")
def members(built: Path) -> dict[str, bytes]:
    """The files in that wheel, without the folder of its metadata in front."""
    with zipfile.ZipFile(built) as archive:
        return {name.removeprefix("petpark-1.2.0.dist-info/"): archive.read(name) for name in archive.namelist()}


def test_the_command_says_what_it_built(checkout: Path, built: Path) -> None:
    found = build(checkout, "--version", "1.2.0")
    assert found == {
        "wheel": "dist/petpark-1.2.0-py3-none-any.whl",
        "sha256": files.sha256(built),
        "bytes": built.stat().st_size,
        "version": "1.2.0",
        "commit": git(checkout, "rev-parse", "HEAD"),
        "model": files.sha256(checkout / layout.MODEL),
    }


def test_it_holds_model_index_and_manifest(checkout: Path, members: Mapping[str, bytes]) -> None:
    inside = f"petpark/{embedded.FOLDER}"
    assert members[f"{inside}/{embedded.MODEL}"] == (checkout / layout.MODEL).read_bytes()
    assert members[f"{inside}/{embedded.INDEX}"] == b"an index"
    found = json.loads(members[f"{inside}/{embedded.MANIFEST}"])
    assert (found["version"], found["labels"]) == ("1.2.0", ["ash", "beech", "cedar"])


def test_it_holds_no_stage_no_test_and_nothing_that_git_ignores(members: Mapping[str, bytes]) -> None:
    assert {"petpark/classifier.py", "petpark/cli/__init__.py", "petpark/py.typed"} <= members.keys()
    strange = [name for name in members if name.startswith(("petpark/build/", "tests/")) or "__pycache__" in name]
    assert strange == []


def test_it_asks_for_what_a_prediction_takes_and_no_more(members: Mapping[str, bytes]) -> None:
    facts = message_from_bytes(members["METADATA"])
    assert {text.partition(">")[0] for text in facts.get_all("Requires-Dist", [])} == RUNS_ON
    assert facts["Version"] == "1.2.0"


def test_the_same_commit_gives_the_same_bytes_wherever_whenever_and_by_whomever(built: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "somewhere else")
    (other / layout.MODELS / embedded.INDEX).write_bytes(b"an index")
    for number, path in enumerate(sorted(other.rglob("*"))):
        if ".git" not in path.parts and not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
            os.utime(path, (number + 1e9, number + 1e9))
    git(other, "update-index", "--refresh")
    previous = os.umask(0o077)
    try:
        found = build(other, "--version", "1.2.0", TZ="Asia/Kathmandu", SOURCE_DATE_EPOCH="7", PYTHONHASHSEED="3")
    finally:
        os.umask(previous)
    assert (other / found["wheel"]).read_bytes() == built.read_bytes()


def test_a_build_of_changed_files_says_so_and_takes_the_place_of_the_last(tmp_path: Path) -> None:
    checkout = make(tmp_path / "checkout")
    first = checkout / build(checkout)["wheel"]
    (checkout / "README.md").write_text("changed")
    found = build(checkout)
    assert found["version"] == f"0.1.0.dev0+g{found['commit'][:9]}.dirty"
    assert [path.name for path in first.parent.iterdir()] == [Path(found["wheel"]).name]


def test_without_a_model_there_is_no_wheel(tmp_path: Path) -> None:
    checkout = make(tmp_path / "checkout")
    (checkout / layout.MODEL).unlink()
    done = subprocess.run(
        [sys.executable, "-m", "petpark", "wheel", "build"], cwd=checkout, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("petpark: models/model.onnx is missing: fetch it with `dvc pull models/model.onnx`")
    assert not (checkout / "dist").exists()


class Installation:
    """An environment of its own that has a wheel and what it asks for."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        uv, self._bin, self._elsewhere = shutil.which("uv"), folder / "venv/bin", folder / "elsewhere"
        assert uv is not None, "make setup brings uv"
        self._elsewhere.mkdir()
        lock = ROOT / "requirements.lock"
        for words in (
            ("venv", "--quiet", "--python", sys.executable, folder / "venv"),
            ("pip", "install", "--quiet", "--python", self._bin / "python", "--constraints", lock, wheel),
        ):
            subprocess.run([uv, words[0], *map(str, words[1:])], check=True, cwd=self._elsewhere)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in another folder than the checkout's."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = (str(self._bin / command[0]), *command[1:])
        return subprocess.run(
            command, cwd=self._elsewhere, env=environment, check=False, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, shipped: Path) -> Installation:
    """An environment with the wheel of the packaged model."""
    folder = tmp_path_factory.mktemp("installed")
    checkout = make(folder / "checkout", shipped / layout.MODEL.name)
    return Installation(folder, checkout / build(checkout)["wheel"])


PREDICT = """
import json, sys
from pathlib import Path
import petpark
classifier = petpark.Classifier.embedded()
rows = [list(classifier.predict(Path(name).read_bytes()).probabilities.values()) for name in sys.argv[1:]]
print(json.dumps({"rows": rows, "modules": sorted(sys.modules), "from": petpark.__file__}))
"""


def test_it_gives_the_golden_rows_elsewhere_and_without_torch(
    installation: Installation, shipped: Path, tmp_path: Path
) -> None:
    rows = golden.read(shipped / layout.GOLDEN.name)
    names = [str(tmp_path / f"{number}.jpg") for number in range(len(rows.photos))]
    for name, photo in zip(names, rows.photos, strict=True):
        Path(name).write_bytes(photo)
    done = installation.run("python", "-c", PREDICT, *names)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert np.abs(np.array(found["rows"]) - rows.probabilities).max() <= 1e-4
    assert "site-packages" in found["from"]
    assert not {"torch", "pydantic", "onnx", "pyarrow"} & {name.partition(".")[0] for name in found["modules"]}


def test_its_command_predicts_with_the_model_inside(installation: Installation, shipped: Path, tmp_path: Path) -> None:
    rows = golden.read(shipped / layout.GOLDEN.name)
    (tmp_path / "a.jpg").write_bytes(rows.photos[0])
    done = installation.run("petpark", "predict", str(tmp_path / "a.jpg"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1].rstrip("?") == f"{rows.probabilities[0].max():.1%}"


@pytest.mark.parametrize("words", [("split",), ("gate", "build"), ("data", "list"), ("lock", "fresh")])
def test_a_command_that_the_wheel_leaves_out_is_told_in_one_sentence(
    installation: Installation, words: tuple[str, ...]
) -> None:
    done = installation.run("petpark", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"petpark: `petpark {words[0]}` needs '")
    assert done.stderr.endswith("', which the wheel does not bring: run it in a checkout of the repository.\n")


def test_its_help_comes_all_the_same(installation: Installation) -> None:
    done = installation.run("petpark", "--help")
    assert done.returncode == 0
    assert "predict" in done.stdout


def test_a_failing_build_system_leaves_no_wheel(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from petpark.deploy.bundle import manifest
    from petpark.errors import SetupError

    monkeypatch.chdir(checkout)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    found = manifest.of(layout.MODEL, "1.2.0", "0" * 40)
    with pytest.raises(SetupError, match="failed; what it said above tells why"):
        wheel.build(found, 0, folder=tmp_path / "dist")
    assert not (tmp_path / "dist").exists()
