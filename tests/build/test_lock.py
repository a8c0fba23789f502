"""Is dvc.lock fresh? Asked in real Git and DVC repositories with a small pipeline of the real one's shape."""

import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from petpark import layout
from petpark.build import lock
from petpark.config.ingest import Batch, IngestSettings
from petpark.errors import DataError, SetupError
from tests.build.data.repository import dvc, git

# pygtrie, under DVC, warns of itself when DVC looks for an output
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

INGEST = IngestSettings(
    short_side=64,
    batches={
        name: Batch(sha256="0" * 64, role="acceptance" if name == "park" else "train") for name in ("a", "b", "park")
    },
)
PARAMS_YAML = """ingest:
  batches:
    a: {sha256: 'one', role: train}
    b: {sha256: 'two', role: train}
    park: {sha256: 'three', role: acceptance}
train: {epochs: 3}
evaluate: {resamples: 100}
"""
DVC_YAML = """stages:
  ingest:
    foreach: ${ingest.batches}
    do:
      cmd: mkdir -p lake/${key}/shard && cp data/${key}.tar lake/${key}/shard/part && echo ${item.sha256} >
        lake/${key}/manifest.parquet
      deps: ["data/${key}.tar"]
      outs: ["lake/${key}/manifest.parquet", "lake/${key}/shard"]
  split:
    cmd: cat lake/*/manifest.parquet > lake/split.parquet
    deps: [lake/a/manifest.parquet, lake/b/manifest.parquet, lake/park/manifest.parquet]
    params: [ingest.batches]
    outs: [lake/split.parquet]
  validate:
    cmd: mkdir -p reports && cat lake/split.parquet lake/a/shard/part > reports/validation.html && echo '{}' >
      reports/validation.json && echo validate >> ran
    deps: [lake/split.parquet, lake/a/manifest.parquet, lake/b/manifest.parquet, lake/park/manifest.parquet,
      lake/a/shard, lake/b/shard]
    metrics: [reports/validation.json: {cache: false}]
    outs: [reports/validation.html: {push: false}]
  package:
    cmd: mkdir -p models && cat lake/a/shard/part lake/b/shard/part > models/model.onnx && echo package >> ran
    deps: [lake/split.parquet, lake/a/shard, lake/b/shard]
    params: [train]
    outs: [models/model.onnx]
  evaluate:
    cmd: mkdir -p reports && cat models/model.onnx > reports/evaluation.html && echo '{}' > reports/evaluation.json &&
      echo evaluate >> ran
    deps: [models/model.onnx, lake/split.parquet, lake/a/shard, lake/b/shard]
    params: [evaluate]
    metrics: [reports/evaluation.json: {cache: false}]
    outs: [reports/evaluation.html: {push: false}]
"""


def replace(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def contents(root: Path) -> dict[str, bytes]:
    """Every file but those of Git and DVC's own scratch."""
    scratch = (root / ".git", root / ".dvc" / "tmp")
    files = (
        path for path in root.rglob("*") if path.is_file() and not any(path.is_relative_to(each) for each in scratch)
    )
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three batches, whose pipeline has run and whose outputs are in its `.dvc/store`."""
    root = tmp_path_factory.mktemp("origin")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        git("init", "--quiet")
        Path(".dvc").mkdir()
        Path(".dvc/config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = store\n")
        Path(".dvc/.gitignore").write_text("/tmp\n/cache\n")
        Path(".gitignore").write_text("/data\n/lake/\n/models/\n/reports/*.html\n/ran\n")
        Path("params.yaml").write_text(PARAMS_YAML)
        Path("dvc.yaml").write_text(DVC_YAML)
        for name in INGEST.batches:
            path = layout.archive(name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"photos of {name}\n")
        dvc("add", "--quiet", "data")
        git("add", "--all")
        git("commit", "--quiet", "--message", "data")
        git("tag", "before")
        dvc("repro", "--quiet")
        dvc("push", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message", "model")
    return root


@pytest.fixture
def here(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it with all its data, as the current folder."""
    root = tmp_path / "here"
    shutil.copytree(origin, root, symlinks=True)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def clone(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh clone, in which there is no data at all, as the current folder."""
    root = tmp_path / "clone"
    git("clone", "--quiet", str(origin), str(root))
    monkeypatch.chdir(root)
    return root


def ask() -> tuple[float, subprocess.CompletedProcess[str]]:
    """Ask the command line; return the seconds of computing that it took, and what it said."""
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["petpark", "lock", "fresh"], check=False, capture_output=True, text=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime, done


def test_after_the_pipeline_ran_the_lock_is_fresh(here: Path) -> None:
    assert lock.stale() is None


def test_in_a_fresh_clone_without_any_data_the_lock_is_fresh(clone: Path) -> None:
    assert not layout.DATA.exists()
    assert lock.stale() is None


def test_asking_says_one_line_changes_nothing_and_takes_little_time(clone: Path) -> None:
    before = contents(clone)
    (first, done), (second, again) = ask(), ask()
    assert (done.returncode, done.stderr) == (again.returncode, again.stderr) == (0, "")
    assert done.stdout == again.stdout == "dvc.lock is the result of what is checked out\n"
    assert contents(clone) == before
    assert git("status", "--porcelain") == ""
    assert min(first, second) < 2.5


@pytest.mark.parametrize("place", ["here", "clone"])
@pytest.mark.parametrize(
    ("old", "new", "stage"),
    [
        ("epochs: 3", "epochs: 4", "package"),
        ("resamples: 100", "resamples: 200", "evaluate"),
        ("'two', role: train", "'other', role: train", "ingest@b"),
        ("'two', role: train", "'two', role: acceptance", "split"),
    ],
)
def test_a_changed_setting_names_the_first_stage_that_reads_it(
    place: str, old: str, new: str, stage: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    root = request.getfixturevalue(place)
    replace("params.yaml", old, new)
    before = contents(root)
    reason = lock.stale()
    assert reason is not None
    assert reason.removeprefix("has to run: ").split(", ")[0] == stage
    assert capfd.readouterr() == ("", "")
    assert contents(root) == before


def test_the_command_line_gives_the_reason_and_status_1(clone: Path) -> None:
    replace("params.yaml", "epochs: 3", "epochs: 4")
    _, done = ask()
    assert (done.returncode, done.stdout, done.stderr) == (1, "has to run: package\n", "")


def test_a_changed_archive_that_is_here_is_noticed(here: Path) -> None:
    layout.archive("b").write_text("other photos\n")
    assert "has to run: data.dvc" in (lock.stale() or "")


def test_a_batch_that_was_replaced_in_data_dvc_alone_is_noticed_where_its_archive_is_not(clone: Path) -> None:
    layout.archive("b").parent.mkdir()
    layout.archive("b").write_text("other photos\n")
    dvc("add", "--quiet", "data/b.tar")
    shutil.rmtree(layout.DATA)
    with Repo() as repo:
        assert repo.reproduce(dry=True, allow_missing=True) == [], "DVC notices by itself now"
    assert lock.stale() == "has to run: ingest@b, as data.dvc and dvc.lock name different contents of data/b.tar"


def test_a_batch_that_data_dvc_does_not_know_is_noticed(clone: Path) -> None:
    Path("data.dvc").unlink()
    assert "has to run: ingest@a, as data.dvc" in (lock.stale() or "")


def test_before_the_first_run_there_is_no_lock(clone: Path) -> None:
    git("checkout", "--quiet", "before")
    assert lock.stale() == "there is no dvc.lock yet"


def test_a_lost_list_of_archives_is_an_error_with_the_remedy(clone: Path) -> None:
    for path in Path(".dvc/store").rglob("*.dir"):
        path.unlink()
    with pytest.raises(DataError, match=r"data\.dvc names is in neither.*dvc push data\.dvc"):
        lock.stale()


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock", "data.dvc"])
def test_what_dvc_cannot_read_is_one_sentence(clone: Path, name: str) -> None:
    with Path(name).open("a") as file:
        file.write("{ : no YAML")
    with pytest.raises(DataError, match="DVC cannot tell what has to run") as caught:
        lock.stale()
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_outside_a_dvc_repository_that_is_said(workspace: Path) -> None:
    with pytest.raises(SetupError, match="no DVC repository"):
        lock.stale()


def test_pages_are_made_again_in_a_fresh_clone_and_nothing_else_changes(clone: Path) -> None:
    before = contents(clone)
    lock.remake_reports(INGEST)
    assert git("status", "--porcelain") == ""
    assert Path("ran").read_text().split() == ["validate", "evaluate"]
    assert Path("reports/evaluation.html").read_text() == "photos of a\nphotos of b\n"
    assert Path("reports/validation.html").read_text() == "one\ntwo\nthree\nphotos of a\n"
    after = contents(clone)
    assert {name: after[name] for name in before} == before
    assert not layout.DATA.exists(), "archives are not needed"
    assert not layout.shard("park").exists(), "nor are photos of acceptance"
    assert lock.stale() is None


def test_pages_that_cannot_be_made_say_which_command_failed(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(".dvc/store")
    with pytest.raises(SetupError, match="`dvc pull` failed"):
        lock.remake_reports(INGEST)
    assert "ERROR" in capfd.readouterr().err
