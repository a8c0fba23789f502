"""Files as a commit has them, byte for byte, from the folder that one is in."""

from pathlib import Path

import pytest

from petpark.build import revisions
from petpark.errors import SetupError
from tests.build.data.repository import git

NAME = Path("a") / "b.bin"
ODD = b"\xff\x00line\r\n\xc3\xa9"


@pytest.fixture
def commit(workspace: Path) -> str:
    """A commit with an odd file, which has changed since."""
    git("init", "--quiet")
    NAME.parent.mkdir()
    NAME.write_bytes(ODD)
    git("add", "--all")
    git("commit", "--quiet", "--message", "odd")
    NAME.write_bytes(b"changed")
    found = revisions.commit("HEAD")
    assert found is not None
    return found


def test_a_file_comes_as_it_was_byte_for_byte(commit: str) -> None:
    assert revisions.raw(commit, NAME) == ODD


def test_as_text_what_cannot_be_decoded_is_replaced(commit: str) -> None:
    assert revisions.content(commit, NAME) == ODD.decode("utf-8", "replace")


def test_a_file_that_the_commit_does_not_have_is_none(commit: str) -> None:
    Path("new").write_text("new")
    assert revisions.raw(commit, Path("new")) is None
    assert revisions.content(commit, Path("new")) is None


def test_a_path_starts_in_the_current_folder(commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NAME.parent)
    assert revisions.raw(commit, Path(NAME.name)) == ODD


def test_outside_of_a_repository_the_sentence_says_so(workspace: Path) -> None:
    with pytest.raises(SetupError, match="no Git repository"):
        revisions.raw("HEAD", NAME)
