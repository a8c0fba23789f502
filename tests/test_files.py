"""Files are whole or absent, whatever happens while they are written."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from petpark import files, locks
from petpark.errors import SetupError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(path: Path, kind: str, text: str) -> None:
    """Make a file, or a folder with a file in it."""
    if kind == "folder":
        path.mkdir()
        path /= "inside"
    path.write_text(text)


def content(path: Path) -> str:
    return (path / "inside" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_block_made_appears_when_it_ends(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "deep" / "down" / "thing"
    with files.whole(path) as partial:
        fill(partial, kind, "new")
        assert not path.exists()
        assert partial.parent == path.parent, "a rename elsewhere may be a copy"
    assert content(path) == "new"
    assert names(path.parent) == ["thing"]


@pytest.mark.parametrize("before", ["file", "folder"])
@pytest.mark.parametrize("after", ["file", "folder"])
def test_the_new_takes_the_place_of_the_old(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "thing"
    fill(path, before, "old")
    with files.whole(path) as partial:
        fill(partial, after, "new")
        assert content(path) == "old"
    assert content(path) == "new"
    assert names(tmp_path) == ["thing"]


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("trouble", [ValueError("bad"), OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_the_old_and_nothing_else(tmp_path: Path, kind: str, trouble: BaseException) -> None:
    path = tmp_path / "thing"
    fill(path, kind, "old")

    def write_badly() -> None:
        with files.whole(path) as partial:
            fill(partial, kind, "half of the n")
            raise trouble

    with pytest.raises(type(trouble)):
        write_badly()
    assert content(path) == "old"
    assert names(tmp_path) == ["thing"]


def test_a_block_that_makes_nothing_is_an_error_and_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "thing"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), files.whole(path):
        pass
    assert path.read_text() == "old"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_killed_writer_leaves_the_old_and_the_next_one_cleans_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    path.write_text("old")
    make = "p.mkdir(); (p / 'inside').write_text('half')" if kind == "folder" else "p.write_text('half')"
    code = f"""
import os, pathlib
from petpark import files
with files.whole(pathlib.Path({str(path)!r})) as p:
    {make}
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert names(tmp_path) == [".thing.partial", ".thing.partial.lock", "thing"]
    files.write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["thing"]


HOLD = """
import pathlib, sys
from petpark import files
with files.whole(pathlib.Path(sys.argv[1])) as p:
    p.write_text("one")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def hold(path: Path) -> "subprocess.Popen[str]":
    """Start a process that writes until it is told to end, and wait until it does."""
    command = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_of_two_writers_one_is_refused_and_takes_nothing_from_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT", 0.2)
    with hold(tmp_path / "thing") as first:
        with pytest.raises(SetupError, match=r"another petpark writes .*/thing: wait until it has ended"):
            files.write_text(tmp_path / "thing", "two")
        first.communicate("end\n")
    assert first.returncode == 0
    assert (tmp_path / "thing").read_text() == "one"
    assert names(tmp_path) == ["thing"]


def test_a_writer_waits_for_another_one_that_ends_soon(tmp_path: Path) -> None:
    with hold(tmp_path / "thing") as first, ThreadPoolExecutor(1) as pool:
        second = pool.submit(files.write_text, tmp_path / "thing", "two")
        time.sleep(0.1)
        assert not second.done()
        first.communicate("end\n")
        second.result()
    assert (tmp_path / "thing").read_text() == "two"
    assert names(tmp_path) == ["thing"]


def test_of_many_writers_each_writes_the_whole(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with files.whole(tmp_path / "thing") as partial:
            fill(partial, "folder", f"{number}")
            assert content(partial) == f"{number}"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert content(tmp_path / "thing") in map(str, range(24))
    assert names(tmp_path) == ["thing"]


def test_a_reader_of_the_old_file_keeps_what_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "thing"
    files.write_text(path, "old")
    with path.open() as file:
        files.write_text(path, "new")
        assert file.read() == "old"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_what_a_link_leads_to_is_left_alone(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    (tmp_path / "cache").write_text("old")
    (tmp_path / "cache").chmod(0o444)  # as DVC links an output to its cache
    link(tmp_path / "cache", tmp_path / "thing")
    files.write_text(tmp_path / "thing", "new")
    assert (tmp_path / "cache").read_text() == "old"
    assert not (tmp_path / "thing").is_symlink()
    assert (tmp_path / "thing").read_text() == "new"


def test_a_link_to_a_folder_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    for name in ("link", "dead", "never there"):
        files.remove(tmp_path / name)
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["inside"]
    files.remove(tmp_path / "folder")
    assert names(tmp_path) == []


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_the_hash_is_that_of_the_bytes(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "f").write_bytes(data)
    assert files.sha256(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_json_is_for_people_and_their_diffs(tmp_path: Path) -> None:
    files.write_json(tmp_path / "f.json", {"b": 1, "a": ["Bär", 0.1, None]})
    text = (tmp_path / "f.json").read_text(encoding="utf-8")
    assert text == '{\n  "b": 1,\n  "a": [\n    "Bär",\n    0.1,\n    null\n  ]\n}\n'
    assert json.loads(text) == {"b": 1, "a": ["Bär", 0.1, None]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_holds_no_figure_that_is_none(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "f.json", {"a": value})
    assert names(tmp_path) == []
