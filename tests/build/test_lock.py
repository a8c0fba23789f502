"""Is dvc.lock fresh? Asked in real Git and DVC repositories with a small pipeline of the real one's shape."""

import contextlib
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


# Several machines


def elsewhere(clone: Path, folder: Path, batch: str) -> Path:
    """Another machine's clone, in which one batch was ingested and pushed."""
    shutil.copytree(clone, folder)
    with contextlib.chdir(folder):
        dvc("pull", "-q", f"data/{batch}.tar")
        dvc("repro", "-q", "--single-item", f"ingest@{batch}")
        dvc("push", "-q", f"ingest@{batch}")
    return folder / "dvc.lock"


def bring_objects(job: Path) -> None:
    """Put what another machine pushed into this clone's store."""
    for path in (job / ".dvc/store").rglob("*"):
        here = Path(".dvc/store", path.relative_to(job / ".dvc/store"))
        if path.is_file() and not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, here)


@pytest.fixture
def changed(clone: Path) -> Path:
    """A clone without photos in which every batch has to be ingested anew."""
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("echo ${item.sha256}", "echo again ${item.sha256}"))
    return clone


def test_batches_ingested_on_several_machines_need_no_photo_here(changed: Path, tmp_path: Path) -> None:
    assert lock.stale() == "has to run: ingest@a"
    locks = [elsewhere(changed, tmp_path / f"job {batch}", batch) for batch in INGEST.batches]
    before = Path("dvc.lock").read_text()
    assert lock.merge(locks) == [f"ingest@{batch}" for batch in INGEST.batches]
    assert not any(line in before for line in difference(before) if "again" in line)
    assert (lock.stale() or "").startswith("has to run: split")
    for path in locks:
        bring_objects(path.parent)
    dvc("repro", "-q", "--pull", "--allow-missing")
    assert lock.stale() is None
    assert not list(Path("data").glob("*.tar"))


def difference(before: str) -> list[str]:
    return [line for line in Path("dvc.lock").read_text().splitlines() if line not in before.splitlines()]


def test_a_lock_that_says_nothing_new_changes_no_byte(clone: Path, tmp_path: Path) -> None:
    before = Path("dvc.lock").read_bytes()
    shutil.copy("dvc.lock", tmp_path / "same.lock")
    assert lock.merge([tmp_path / "same.lock"]) == []
    assert Path("dvc.lock").read_bytes() == before


def test_where_there_is_no_lock_yet_the_merged_ones_are_it(clone: Path, tmp_path: Path) -> None:
    shutil.move("dvc.lock", tmp_path / "whole.lock")
    assert "evaluate" in lock.merge([tmp_path / "whole.lock"])
    assert lock.stale() is None


def test_two_results_of_one_stage_are_refused(clone: Path, tmp_path: Path) -> None:
    text = Path("dvc.lock").read_text()
    for name in ("one", "two"):
        (tmp_path / name).write_text(text.replace("cat lake/*/manifest.parquet", f"cat {name}"))
    with pytest.raises(DataError, match=r"two names another result of split than a lock before it"):
        lock.merge([tmp_path / "one", tmp_path / "two"])
    assert Path("dvc.lock").read_text() == text


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"stages: {}", b"schema: '2.0'\nstages: 7", b"\xff\xfe", b"a: [", None]
)
def test_what_is_no_lock_is_one_sentence(clone: Path, tmp_path: Path, content: bytes | None) -> None:
    before = Path("dvc.lock").read_bytes()
    if content is not None:
        (tmp_path / "odd.lock").write_bytes(content)
    with pytest.raises(DataError) as error:
        lock.merge([tmp_path / "odd.lock"])
    assert str(error.value).startswith(str(tmp_path / "odd.lock"))
    assert "\n" not in str(error.value)
    assert Path("dvc.lock").read_bytes() == before
