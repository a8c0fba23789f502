"""Fingerprints: they change with what they stand for, and with nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import petpark
from petpark import fingerprint, lake, layout, shards
from tests.build import lakes


@pytest.fixture
def grown(workspace: Path) -> Path:
    lakes.grow(workspace, 60)
    return workspace


def mark() -> str:
    return fingerprint.lake(lake.read_split())


def test_the_same_photos_have_the_same_fingerprint_anywhere(
    grown: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = mark()
    assert re.fullmatch("[0-9a-f]{64}", before)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    lakes.grow(elsewhere, 60)
    monkeypatch.chdir(elsewhere)
    assert mark() == before


def test_another_split_has_another_fingerprint(grown: Path) -> None:
    before = mark()
    table = lake.read_split().table
    shards.write_table(table.slice(0, table.num_rows - 1), layout.SPLIT)
    assert mark() != before


@pytest.mark.parametrize("batch", lakes.BATCHES)
def test_another_stored_photo_has_another_fingerprint(grown: Path, batch: str) -> None:
    before = mark()
    (part,) = layout.shard(batch).iterdir()
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    assert mark() != before


def test_files_that_no_photo_lies_in_do_not_count(grown: Path) -> None:
    before = mark()
    (layout.shard("first") / "note.txt").write_text("hello")
    layout.originals("first").unlink()
    layout.shard("third").mkdir(parents=True)
    assert mark() == before


CODE = "import {modules}; from petpark import fingerprint; print(fingerprint.code({before}))"


def code(*modules: str, before: str = "", path: Path | None = None) -> str:
    """The fingerprint in a process that imports these modules, possibly of a copy of the package."""
    command = [sys.executable, "-c", CODE.format(modules=", ".join(modules), before=before)]
    environment = {"PYTHONPATH": str(path)} if path else {}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def test_code_is_what_was_imported_without_the_command_line() -> None:
    plain = code("petpark.shards")
    assert re.fullmatch("[0-9a-f]{64}", plain)
    assert code("petpark.shards") == plain
    assert code("petpark.shards", "petpark.cli", "json") == plain
    assert code("petpark.shards", "petpark.golden") != plain


def test_code_that_is_carried_on_counts() -> None:
    found = {code("petpark.shards", before=before) for before in ("", "'a'", "'b'", "'a', 'b'")}
    assert len(found) == 4


def test_an_edit_is_another_fingerprint_and_another_place_is_not(tmp_path: Path) -> None:
    source = Path(petpark.__file__).parent
    for path in [*source.glob("*.py"), *source.glob("config/*.py")]:
        copy = tmp_path / "petpark" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    plain = code("petpark.shards", path=tmp_path)
    assert plain == code("petpark.shards")
    with (tmp_path / "petpark" / "shards.py").open("a") as file:
        file.write("# an edit\n")
    assert code("petpark.shards", path=tmp_path) != plain
    assert code("petpark.errors", path=tmp_path) == code("petpark.errors", path=tmp_path)
