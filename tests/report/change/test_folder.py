"""A stranger's folder is read file by file, and nothing in it leads elsewhere."""

import os
from pathlib import Path

import pytest

from petpark.errors import DataError
from petpark.report.change.folder import reader

FILE = Path("a/b.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "side" / "a").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "side"


def test_a_file_is_read_up_to_the_byte_that_it_may_have(folder: Path) -> None:
    (folder / FILE).write_bytes(b"12345")
    assert reader(folder)(FILE, 5) == b"12345"
    with pytest.raises(DataError, match=r"b\.txt has 5 bytes, and may have 4"):
        reader(folder)(FILE, 4)


def test_a_file_that_is_not_there_is_none(folder: Path) -> None:
    assert reader(folder)(FILE, 5) is None
    assert reader(folder)(Path("nowhere/at/all"), 5) is None


def test_a_link_in_the_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / FILE).symlink_to(folder.parent / "secret.txt")
    with pytest.raises(DataError, match="no ordinary file"):
        reader(folder)(FILE, 99)


def test_a_link_in_the_place_of_a_folder_is_refused(folder: Path) -> None:
    (folder / "a").rmdir()
    (folder.parent / "b.txt").write_text("secret")
    (folder / "a").symlink_to(folder.parent)
    with pytest.raises(DataError, match="no ordinary file"):
        reader(folder)(FILE, 99)


def test_a_link_that_leads_nowhere_is_refused(folder: Path) -> None:
    (folder / FILE).symlink_to("nowhere")
    with pytest.raises(DataError, match="no ordinary file"):
        reader(folder)(FILE, 99)


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / FILE)
    with pytest.raises(DataError, match="no ordinary file"):
        reader(folder)(FILE, 99)


def test_a_folder_in_the_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / FILE).mkdir()
    with pytest.raises(DataError, match="no ordinary file"):
        reader(folder)(FILE, 99)


def test_a_file_in_the_place_of_a_folder_is_refused(folder: Path) -> None:
    (folder / "a").rmdir()
    (folder / "a").write_text("")
    with pytest.raises(DataError, match="no ordinary file"):
        reader(folder)(FILE, 99)


def test_reading_leaves_no_file_open(folder: Path) -> None:
    (folder / FILE).write_bytes(b"1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (FILE, Path("x"), Path("x/y/z")):
        reader(folder)(path, 5)
    with pytest.raises(DataError):
        reader(folder)(FILE, 0)
    with pytest.raises(DataError):
        reader(folder)(FILE.parent, 9)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_root_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder: name one that holds"):
        reader(tmp_path / "nowhere")
