"""Batches come, change their role and go, in real repositories of Git and DVC, and in clones that hold no photos."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from petpark import files, layout, locks, shards
from petpark.build import repository as dvc_repository
from petpark.build.data import batches, packing, pipeline, rows, together, tracking
from petpark.build.data.outcome import Added, Row
from petpark.cli import main
from petpark.config.ingest import Batch, Role
from petpark.config.params import load_params
from petpark.errors import DataError, PetparkError, SettingsError, SetupError
from tests.build.data.repository import DVC_YAML, PARAMS_YAML, dvc, git, lay, obey, use_remote
from tests.conftest import draw, jpeg, pack
from tests.services import S3

LABELS = ("fern", "moss", "oak")
TEXTS = ("params.yaml", "dvc.yaml", "data.dvc", "dvc.lock", ".gitignore")
PUBLISHED: dict[str, Role] = {"spring": "train", "summer": "train", "gate": "acceptance"}


def photos(seed: int) -> dict[str, bytes]:
    """Two photos of each of three labels."""
    return {
        f"{label}/{number}.jpg": jpeg(draw(100 * seed + 10 * place + number))
        for place, label in enumerate(LABELS)
        for number in range(2)
    }


def folder(path: Path, seed: int) -> str:
    for name, data in photos(seed).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return str(path)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository without batches."""
    return lay(tmp_path_factory.mktemp("empty") / "repository")


@pytest.fixture(scope="session")
def published(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two batches for training and one for acceptance, all pushed and committed."""
    root = tmp_path_factory.mktemp("published") / "repository"
    shutil.copytree(empty, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for seed, (name, role) in enumerate(PUBLISHED.items(), 1):
            path = layout.archive(name)
            packing.pack(folder(root.parent / name, seed), path)
            together.write(pipeline.edited({name: Batch(sha256=files.sha256(path), role=role)}))
        dvc("add", "data")
        obey(["dvc push data.dvc", "git add --all"])
    return root


@pytest.fixture
def repository(empty: Path, workspace: Path) -> Iterator[Path]:
    """A copy of the repository without batches, which is the current folder."""
    root = workspace / "repository"
    shutil.copytree(empty, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root


@pytest.fixture
def clone(published: Path, workspace: Path) -> Iterator[Path]:
    """A fresh clone, which is the current folder: no archive and no cache."""
    root = workspace / "clone"
    git("clone", "--quiet", str(published), str(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root


def state() -> dict[str, bytes]:
    """Everything that a failed command must leave as it was."""
    found = [Path(name) for name in TEXTS] + [path for top in ("data", "lake") for path in Path(top).rglob("*")]
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def listed() -> set[str]:
    return set(tracking.tracked())


def refusal(kind: type[PetparkError], source: str, **options: str) -> str:
    """What is said of a batch that is not added, and that everything is as it was."""
    before = state()
    with pytest.raises(kind) as error:
        batches.add(source, **options)  # type: ignore[arg-type]
    assert state() == before
    assert not list(layout.SCRATCH.rglob("*.tar"))
    sentence = str(error.value)
    assert "\n" not in sentence
    assert error.value.__cause__ is None
    return sentence


def test_the_first_batch_of_a_repository(repository: Path) -> None:
    pack(Path("data/notes.tar"), photos(9))  # lies there, and is no batch
    found = batches.add(folder(repository.parent / "Spring walk", 1))
    assert (found.name, found.role, found.state) == ("Spring-walk", "train", "added")
    assert (found.contents.labels, found.contents.photos) == (dict.fromkeys(LABELS, 2), 6)
    assert load_params().ingest.batches["Spring-walk"].model_dump() == {"sha256": found.sha256, "role": "train"}
    assert files.sha256(Path("data/Spring-walk.tar")) == found.sha256
    assert listed() == {"Spring-walk.tar"}
    assert pipeline.edited() == {}
    assert found.commands == ("dvc push data.dvc", "git add .dvc/store data.dvc dvc.yaml params.yaml")
    assert not list(layout.SCRATCH.rglob("*"))


def test_what_was_done_is_told_in_words() -> None:
    contents = packing.Contents({"fern": 2000, "oak": 1}, 12_345_678, 3)
    found = Added("spring", "train", "replaced", "ab", contents, ("dvc push data.dvc", "git add data.dvc"))
    assert str(found).splitlines() == [
        "spring (train): replaced; 2,001 photos (fern 2,000, oak 1), 12.3 MB",
        "passed over: 3 (hidden files, and files outside any label's folder)",
        "To bring this to everyone else:",
        "  dvc push data.dvc",
        "  git add data.dvc",
        "After a `dvc repro`, push again, and add dvc.lock and the metrics too.",
    ]
    many = packing.Contents({f"label {number}": 2 for number in range(40)}, 1)
    assert str(Added("spring", "train", "unchanged", "ab", many, ())) == (
        "spring (train): unchanged; 80 photos (40 labels), 0.0 MB"
    )


def test_git_ignores_the_photos_even_where_nobody_said_so(repository: Path) -> None:
    Path(".gitignore").unlink()
    found = batches.add(folder(repository.parent / "spring", 1))
    assert Path(".gitignore").read_text() == "/data\n"
    assert found.commands[1] == "git add .dvc/store .gitignore data.dvc dvc.yaml params.yaml"


def test_a_clone_without_photos_takes_a_new_batch_and_keeps_the_others(clone: Path, workspace: Path) -> None:
    obey(batches.add(folder(workspace / "autumn", 4)).commands)
    assert [path.name for path in Path("data").iterdir()] == ["autumn.tar"]
    assert listed() == {"spring.tar", "summer.tar", "gate.tar", "autumn.tar"}
    assert git("show", "--numstat", "--format=", "HEAD", "--", "params.yaml", "dvc.yaml") == (
        "7\t0\tdvc.yaml\n1\t0\tparams.yaml\n"
    )
    assert git("status", "--short") == ""
    git("clone", "--quiet", str(clone), str(workspace / "another"))
    dvc("pull", "data/autumn.tar", "data/summer.tar", cwd=workspace / "another")
    for name in ("autumn", "summer"):
        known = load_params().ingest.batches[name]
        assert files.sha256(workspace / "another" / layout.archive(name)) == known.sha256


def test_a_clone_without_photos_can_drop_a_batch(clone: Path, workspace: Path) -> None:
    Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  ingest@spring:\n    cmd: a\n  split:\n    cmd: b\n")
    git("add", "dvc.lock")
    git("commit", "--quiet", "--message", "results")
    found = batches.drop(["spring"])
    assert "spring: dropped; Git's history and DVC's remote keep the photos" in str(found)
    obey(found.commands)
    assert found.commands[1] == "git add .dvc/store data.dvc dvc.lock dvc.yaml params.yaml"
    assert listed() == {"summer.tar", "gate.tar"}
    assert list(load_params().ingest.batches) == ["summer", "gate"]
    assert Path("dvc.lock").read_text() == "schema: '2.0'\nstages:\n  split:\n    cmd: b\n"
    assert "spring" not in Path("dvc.yaml").read_text()
    git("clone", "--quiet", str(clone), str(workspace / "another"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace / "another")
        assert listed() == {"summer.tar", "gate.tar"}


def test_several_batches_go_at_once_with_all_that_lies_here(clone: Path, workspace: Path) -> None:
    for name in PUBLISHED:
        pack(layout.archive(name), {})
        pack(layout.manifest(name), {})
    Path("data/spring.tar").unlink()
    batches.drop(["spring", "summer", "spring"])
    assert listed() == {"gate.tar"}
    assert [path.name for path in Path("data").iterdir()] == ["gate.tar"]
    assert [path.name for path in Path("lake").iterdir()] == ["gate"]
    batches.drop(["gate"])
    assert listed() == set()
    assert load_params().ingest.batches == {}
    assert Path("dvc.yaml").read_text() == DVC_YAML
    assert Path("params.yaml").read_text() == PARAMS_YAML


def test_a_batch_that_was_never_committed_can_go(clone: Path) -> None:
    text = Path("data.dvc").read_text()
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("  gate:", "  other:"))
    batches.drop(["other"])
    assert Path("data.dvc").read_text() == text


def test_unknown_batches_are_not_dropped(clone: Path) -> None:
    before = state()
    with pytest.raises(DataError, match=r"there is no batch 'sprang': params\.yaml lists spring, summer, gate\."):
        batches.drop(["spring", "sprang"])
    assert state() == before


def test_the_same_photos_again_change_nothing(clone: Path, published: Path) -> None:
    before = {name: Path(name).read_bytes() for name in ("params.yaml", "dvc.yaml", "data.dvc")}
    found = batches.add(str(published.parent / "gate"))
    assert (found.state, found.role, found.commands) == ("unchanged", "acceptance", ())
    assert {name: Path(name).read_bytes() for name in before} == before


def test_a_batch_is_corrected_by_adding_it_again(clone: Path, published: Path) -> None:
    shutil.copytree(published.parent / "spring", "spring")
    old = load_params().ingest.batches["spring"].sha256
    lines = Path("dvc.yaml").read_text()
    Path("spring/oak/1.jpg").rename("spring/moss/3.jpg")
    found = batches.add("spring")
    assert (found.state, found.contents.labels) == ("replaced", {"fern": 2, "moss": 3, "oak": 1})
    assert load_params().ingest.batches["spring"].sha256 == found.sha256 != old
    assert Path("dvc.yaml").read_text() == lines
    assert listed() == {"spring.tar", "summer.tar", "gate.tar"}
    assert found.commands[1] == "git add .dvc/store data.dvc params.yaml"


def test_an_archive_that_was_replaced_by_hand_is_taken_as_it_is(clone: Path, workspace: Path) -> None:
    pack(Path("data/spring.tar"), photos(7))
    sha256 = files.sha256(Path("data/spring.tar"))
    found = batches.add(str(Path("data/spring.tar").absolute()))
    assert (found.name, found.state, found.sha256) == ("spring", "replaced", sha256)
    assert files.sha256(Path("data/spring.tar")) == sha256
    assert load_params().ingest.batches["spring"].sha256 == sha256
    assert listed() == {"spring.tar", "summer.tar", "gate.tar"}


def test_an_archive_in_its_place_can_be_copied_under_another_name(clone: Path) -> None:
    pack(Path("data/spring.tar"), photos(7))
    found = batches.add("data/spring.tar", name="spring-2")
    with tarfile.open("data/spring-2.tar") as made:
        assert made.getnames() == [*sorted(photos(7)), "provenance.json"]
        text = made.extractfile("provenance.json")
        assert text is not None
        assert json.load(text)["source"] == "data/spring.tar"
    assert found.state == "added"


def test_a_broken_archive_in_its_place_stays_and_becomes_no_batch(clone: Path) -> None:
    Path("data").mkdir()
    Path("data/spring.tar").write_bytes(b"text" * 1000)
    assert "data/spring.tar is no uncompressed tar archive" in refusal(DataError, "data/spring.tar")
    assert Path("data/spring.tar").exists()


@pytest.mark.parametrize("by_adding", [False, True])
def test_a_role_moves_a_batch_out_of_training_and_touches_no_photo(
    clone: Path, published: Path, by_adding: bool
) -> None:
    def change(role: Role) -> tuple[str, ...]:
        source = str(published.parent / "summer")
        return (batches.add(source, role=role) if by_adding else batches.role("summer", role)).commands

    before = {name: Path(name).read_text() for name in TEXTS if Path(name).exists()}
    assert change("acceptance") == ("git add dvc.yaml params.yaml",)
    after = {name: Path(name).read_text() for name in before}
    assert [name for name in before if before[name] != after[name]] == ["params.yaml", "dvc.yaml"]
    assert after["dvc.yaml"].count("lake/summer/") == 2
    assert load_params().ingest.names("train") == ("spring",)
    change("train")
    assert {name: Path(name).read_text() for name in before} == before


def test_a_role_is_for_a_batch_that_is_there(clone: Path) -> None:
    with pytest.raises(DataError, match="there is no batch 'winter'"):
        batches.role("winter", "train")
    assert batches.role("gate", "acceptance").commands == ()


def test_where_dvc_fails_everything_is_as_it_was(clone: Path, published: Path) -> None:
    pack(Path("data/spring.tar"), photos(7))
    pack(Path("lake/spring/manifest.parquet"), {})
    shutil.copytree(published.parent / "summer", "spring")
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(f"{text}  greedy:\n    cmd: echo\n    outs: [data/spring.tar]\n")
    assert "`dvc add data/spring.tar` failed, and everything is as it was" in refusal(SetupError, "spring")
    before = state()
    with pytest.raises(SetupError, match=r"`dvc add data/spring\.tar` failed"):
        batches.drop(["spring"])
    assert state() == before


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


STEPS = [(files, "sha256"), (together, "move"), (together, "write"), (dvc_repository, "run_silently")]


@pytest.mark.parametrize(("module", "name"), STEPS)
@pytest.mark.parametrize("batch", ["spring", "autumn"])
def test_an_interruption_while_adding_changes_nothing(
    clone: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, batch: str
) -> None:
    pack(Path("data/spring.tar"), photos(7))
    folder(Path(batch), 4)
    before = state()
    monkeypatch.setattr(module, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        batches.add(batch)
    assert state() == before
    assert not list(layout.SCRATCH.rglob("*.tar"))


@pytest.mark.parametrize(("module", "name"), STEPS[1:])
def test_an_interruption_while_dropping_changes_nothing(
    clone: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    pack(Path("data/spring.tar"), photos(7))
    pack(Path("lake/spring/manifest.parquet"), {})
    pack(Path("lake/spring/shard/0.parquet"), {})
    before = state()
    monkeypatch.setattr(module, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        batches.drop(["spring"])
    assert state() == before


KILLED = """
import os, signal, sys
from petpark import files
from petpark.build import repository
from petpark.build.data import batches, together

place, name, times, *arguments = sys.argv[1:]
module, left = globals()[place], int(times)
real = getattr(module, name)

def then_die(*given, **named):
    global left
    result, left = real(*given, **named), left - 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(module, name, then_die)
command, *rest = arguments
getattr(batches, command)(*([rest] if command == "drop" else rest))
"""
KILLS = [
    ("together", "_begin", 1),
    ("together", "move", 1),
    ("files", "write_text", 2),  # the first is the journal
    ("together", "write", 1),
    ("repository", "run_silently", 1),
]


def killed(*arguments: object) -> None:
    """Run a command in a process that kills itself after the n-th call of a function."""
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", KILLS, ids=[name for _, name, _ in KILLS])
@pytest.mark.parametrize("command", ["add", "drop"])
def test_after_kill_9_the_same_command_again_ends_the_work(
    clone: Path, workspace: Path, command: str, moment: tuple[str, str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    pack(Path("data/spring.tar"), photos(7))
    pack(Path("lake/spring/manifest.parquet"), {})
    source = folder(workspace / "spring", 4)
    killed(*moment, command, source if command == "add" else "spring")
    if command == "add":
        assert batches.add(source).state == "replaced"
        assert load_params().ingest.batches["spring"].sha256 == files.sha256(Path("data/spring.tar"))
        assert listed() == {"spring.tar", "summer.tar", "gate.tar"}
    else:
        batches.drop(["spring"])
        assert list(load_params().ingest.batches) == ["summer", "gate"]
        assert listed() == {"summer.tar", "gate.tar"}
        assert not list(Path("data").iterdir())
    assert pipeline.edited() == {}
    assert "is undone now" in capsys.readouterr().err
    assert {path.name for path in layout.SCRATCH.iterdir()} <= {"undone"}


@pytest.mark.parametrize("moment", [KILLS[1], KILLS[4]], ids=["moved", "tracked"])
def test_what_a_killed_command_began_is_undone_before_batches_are_listed(
    clone: Path, moment: tuple[str, str, int]
) -> None:
    pack(Path("data/spring.tar"), photos(7))
    pack(Path("lake/spring/originals.parquet"), {})
    before = state()
    killed(*moment, "drop", "spring")
    assert state() != before
    assert [row.name for row in batches.batches()] == list(PUBLISHED)
    assert state() == before


def test_a_role_that_was_killed_half_way_is_changed_by_the_same_command(clone: Path) -> None:
    killed("files", "write_text", 2, "role", "summer", "acceptance")
    text = Path("params.yaml").read_text()
    batches.role("summer", "acceptance")
    assert load_params().ingest.names("train") == ("spring",)
    assert pipeline.edited() == {}
    assert Path(".petpark/undone/params.yaml").read_text() == text, "nobody's edits are lost"


def test_a_child_that_outlives_the_killed_command_keeps_the_others_waiting(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen([sys.executable, "-c", ORPHAN, *command], stdin=subprocess.PIPE) as parent:
        assert parent.wait() == -signal.SIGKILL
        with monkeypatch.context() as patch:
            patch.setattr(locks, "WAIT", 0.2)
            with pytest.raises(SetupError, match="another petpark changes the batches of this repository: wait"):
                batches.role("summer", "acceptance")
    assert batches.role("summer", "acceptance").commands


ORPHAN = """
import os, signal, subprocess, sys
from petpark import locks
from petpark.build.data import together
with together.alone():
    subprocess.Popen(sys.argv[1:], pass_fds=locks.held())
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_of_two_commands_at_once_none_is_lost(clone: Path, workspace: Path) -> None:
    names = ("autumn", "winter")
    commands = [["petpark", "data", "add", folder(workspace / name, seed)] for seed, name in enumerate(names, 4)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda each: subprocess.run(each, check=False, capture_output=True, text=True), commands))
    for command, each in zip(commands, done, strict=True):
        if each.returncode:  # on a slow machine the other one takes longer than this one waits
            assert "another petpark changes the batches of this repository: wait" in each.stderr
            subprocess.run(command, check=True)
    assert [each.returncode for each in done].count(0) >= 1
    assert listed() == {"spring.tar", "summer.tar", "gate.tar", "autumn.tar", "winter.tar"}
    assert set(load_params().ingest.batches) == {*PUBLISHED, "autumn", "winter"}
    assert pipeline.edited() == {}


def sparse(path: str, size: int) -> None:
    """A file that takes no room, and counts."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("wb") as file:
        file.truncate(size)


def test_the_store_in_the_repository_has_a_limit(clone: Path, workspace: Path) -> None:
    archives = [each.size or 0 for each in tracking.tracked().values()]
    stored = sum(path.stat().st_size for path in Path(".dvc/store").rglob("*") if path.is_file())
    room = tracking.STORE_LIMIT - stored
    source = folder(workspace / "autumn", 4)
    sparse(".dvc/store/filler", room - max(archives))  # as large as they are
    assert batches.add(source).state == "added"
    sentence = refusal(DataError, folder(workspace / "winter", 5))  # autumn waits to be pushed, and counts
    assert "the DVC store in this repository would hold 50.0 MB, and 50 MB is its limit" in sentence
    assert "`dvc remote add -d NAME s3://BUCKET/FOLDER`" in sentence
    assert batches.add(source, role="acceptance").state == "role changed"  # nothing new comes into the store


def test_what_can_never_fit_the_store_is_refused_before_it_is_packed(
    clone: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(workspace / "autumn", 4)
    sparse(f"{source}/fern/large.jpg", tracking.STORE_LIMIT)
    monkeypatch.setattr(packing, "write", interrupt)
    assert "50 MB is its limit" in refusal(DataError, source)


def test_a_list_with_merge_markers_is_told(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.dvc").write_text(f"<<<<<<< HEAD\n{Path('data.dvc').read_text()}=======\n>>>>>>> other\n")
    assert [row.name for row in batches.batches()] == list(PUBLISHED)
    assert "what data.dvc lists is not known. DVC cannot read this repository" in capsys.readouterr().err


def test_a_store_elsewhere_has_no_limit(clone: Path, workspace: Path) -> None:
    sparse(".dvc/store/filler", tracking.STORE_LIMIT)
    assert listed() == {f"{name}.tar" for name in PUBLISHED}  # and have the list in the cache
    use_remote(str(workspace / "far"))
    found = batches.add(folder(workspace / "autumn", 4))
    assert found.commands == ("dvc push data.dvc", "git add data.dvc dvc.yaml params.yaml")


def test_what_the_remote_no_longer_has_is_said(clone: Path, workspace: Path) -> None:
    shutil.rmtree(".dvc/store")
    assert "what data.dvc lists can be had neither" in refusal(SetupError, folder(workspace / "autumn", 4))
    assert [(row.name, row.size) for row in batches.batches()] == [(name, None) for name in PUBLISHED]


def test_where_dvc_was_never_set_up_it_is_said(workspace: Path) -> None:
    Path("params.yaml").write_text(PARAMS_YAML)
    Path("dvc.yaml").write_text(DVC_YAML)
    assert "This is no DVC repository" in refusal(SetupError, folder(workspace / "autumn", 4))


def test_what_stands_in_the_way_is_said_before_photos_are_packed(clone: Path) -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("  evaluate:", "  judge:"))
    assert "'stages.evaluate.deps' is missing" in refusal(SettingsError, "nowhere")
    git("checkout", "--quiet", "dvc.yaml")
    shutil.rmtree(".dvc/store")
    assert "can be had neither from DVC's cache nor from its remote" in refusal(SetupError, "nowhere")


@pytest.mark.parametrize("name", ["", "a b", "../a", "-a", "a" * 65, "a/b", "ä"])
def test_a_name_that_is_none_is_refused(clone: Path, name: str) -> None:
    assert f"a batch cannot be called {name!r}" in refusal(DataError, "spring", name=name)


def test_a_file_that_nobody_added_is_not_overwritten(clone: Path, workspace: Path) -> None:
    pack(Path("data/autumn.tar"), photos(9))
    sentence = refusal(DataError, folder(workspace / "autumn", 4))
    assert "data/autumn.tar is in the way, and no batch yet" in sentence


def test_the_list_tells_what_can_be_known_here(clone: Path, published: Path) -> None:
    reasons = pa.array([None, "damaged", None, "empty", None, None], pa.string())
    columns = [reasons if name == "reason" else pa.nulls(6, kind) for name, kind in zip(*_fields(), strict=True)]
    layout.manifest("spring").parent.mkdir(parents=True)
    shards.write_table(pa.table(columns, schema=shards.MANIFEST), layout.manifest("spring"))
    shutil.copytree(published / "data", "data", ignore=shutil.ignore_patterns("s*"))
    known = load_params().ingest.batches
    sizes = {name: each.size for name, each in tracking.tracked().items()}
    assert sizes["gate.tar"] == layout.archive("gate").stat().st_size
    assert batches.batches() == [
        Row("spring", "train", 6, 2, sizes["spring.tar"], known["spring"].sha256, present=False),
        Row("summer", "train", None, None, sizes["summer.tar"], known["summer"].sha256, present=False),
        Row("gate", "acceptance", None, None, sizes["gate.tar"], known["gate"].sha256, present=True),
    ]
    lines = [line.split() for line in batches.table().splitlines()]
    assert lines[0] == ["batch", "role", "photos", "quarantined", "MB", "sha256", "here"]
    assert lines[1] == ["spring", "train", "6", "2", "0.0", known["spring"].sha256[:12], "no"]
    assert lines[3] == ["gate", "acceptance", "-", "-", "0.0", known["gate"].sha256[:12], "yes"]


def _fields() -> tuple[list[str], list[pa.DataType]]:
    return shards.MANIFEST.names, shards.MANIFEST.types


def test_an_empty_list_says_how_to_begin(repository: Path) -> None:
    assert batches.table() == "There is no batch yet: `petpark data add SOURCE` makes one."


QUERY = "SELECT label, name, photo FROM frames"


def filled(path: Path, seed: int) -> str:
    """Make a database of the photos of a seed; return its address."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE frames (label, name, photo)")
        table = [(*name.split("/"), data) for name, data in photos(seed).items()]
        connection.executemany("INSERT INTO frames VALUES (?, ?, ?)", table)
    return f"sqlite:///{path}"


def test_a_batch_comes_from_a_database(repository: Path, workspace: Path) -> None:
    address = filled(workspace / "park.db", 1)
    found = batches.add(address, query=QUERY)
    assert (found.name, found.state, found.contents.labels) == ("park", "added", dict.fromkeys(LABELS, 2))
    assert listed() == {"park.tar"}
    assert not list(layout.SCRATCH.rglob("*.*")), "what was fetched is kept no longer"
    assert [path for path in layout.SCRATCH.rglob("*") if path.is_file()] == []


def test_a_batch_comes_from_a_bucket(repository: Path, s3: S3, bucket: str) -> None:
    for name, data in photos(1).items():
        s3.client().put_object(Bucket=bucket, Key=f"spring/{name}", Body=data)
    found = batches.add(f"s3://{bucket}/spring/")
    assert (found.name, found.state, found.contents.labels) == ("spring", "added", dict.fromkeys(LABELS, 2))
    assert [path for path in layout.SCRATCH.rglob("*") if path.is_file()] == []


def test_the_time_alone_makes_no_other_batch(
    repository: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = filled(workspace / "park.db", 1)
    first = batches.add(address, query=QUERY)
    monkeypatch.setattr(rows, "now", lambda: "2038-01-19T03:14:07Z")
    again = batches.add(address, query=QUERY)
    assert (again.state, again.sha256, again.commands) == ("unchanged", first.sha256, ())
    assert files.sha256(layout.archive("park")) == first.sha256
    other = batches.add(address, query=f"{QUERY} WHERE 1 = 1")
    assert (other.state, other.contents) == ("replaced", first.contents)
    (workspace / "park.db").unlink()
    assert batches.add(filled(workspace / "park.db", 2), query=f"{QUERY} WHERE 1 = 1").state == "replaced"


def test_what_was_fetched_is_kept_where_no_batch_is_made_of_it(
    repository: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = filled(workspace / "park.db", 1)
    monkeypatch.setattr(tracking, "STORE_LIMIT", 1_000)
    with pytest.raises(DataError, match="the DVC store in this repository would hold"):
        batches.add(address, query=QUERY)
    assert len([path for path in layout.SCRATCH.rglob("*") if path.is_file()]) == 6
    monkeypatch.undo()
    monkeypatch.chdir(repository)
    batches.add(address, query=QUERY)
    assert [path for path in layout.SCRATCH.rglob("*") if path.is_file()] == []


def test_a_source_that_stops_in_the_middle_changes_nothing(repository: Path, workspace: Path) -> None:
    address = filled(workspace / "park.db", 1)
    assert "row 1 of the query has no photo (NULL)" in refusal(
        DataError, address, query="SELECT label, name, NULL AS photo FROM frames"
    )
    assert "no such table" in refusal(DataError, address, query="SELECT label, photo FROM shots")
    assert "give it a name" in refusal(DataError, "postgresql://me:secret@127.0.0.1", query=QUERY)


def test_a_database_is_a_source_on_the_command_line(
    repository: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "add", filled(workspace / "park.db", 1), "--name", "spring", "--query"]
    assert main([*command, QUERY]) == 0
    assert capsys.readouterr().out.startswith("spring (train): added; 6 photos (fern 2, moss 2, oak 2)")
    before = state()
    assert main([*command, "SELECT label FROM frames"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n"), state()) == ("", 1, before)
    assert said.err.startswith(f"petpark: sqlite:///{workspace}/park.db: the query gives the columns label; it must")


@pytest.mark.parametrize("data", [b"", b"text" * 1000])
def test_only_an_archive_of_ours_can_be_the_same(workspace: Path, data: bytes) -> None:
    new, old = Path("new.tar"), Path("old.tar")
    packing.pack(folder(Path("spring"), 1), new)
    assert not packing.same(old, new)
    old.write_bytes(data)
    assert not packing.same(old, new)
    pack(old, photos(1))
    assert not packing.same(old, new)
    assert not packing.same(old, old)
    assert packing.same(new, new)
    changed = bytearray(new.read_bytes())
    changed[700] ^= 1
    old.write_bytes(changed)
    assert not packing.same(old, new)
    pack(old, {"provenance.json": b"[]"})
    assert not packing.same(old, new)
