"""Manifests and shards on disk."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from petpark import shards
from petpark.errors import DataError
from petpark.shards import GROUP_ROWS, PHOTOS, ShardWriter, read_photos, read_table, write_table

MEGABYTE = 1_000_000


def write(folder: Path, photos: list[bytes]) -> list[tuple[int, int]]:
    with ShardWriter(folder) as writer:
        return [writer.add(f"{number:064x}", photo) for number, photo in enumerate(photos)]


def parts(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_photos_come_back_from_where_they_were_put(tmp_path: Path) -> None:
    photos = [os.urandom(1 + number) for number in range(600)]
    places = write(tmp_path / "shard", photos)
    assert places == [(0, row) for row in range(600)]
    assert [photo for _, _, photo in read_photos(tmp_path / "shard", places)] == photos


def test_only_the_wanted_photos_come_in_the_order_of_the_disk(tmp_path: Path) -> None:
    photos = [bytes([number % 251]) * 10 for number in range(1000)]
    write(tmp_path / "shard", photos)
    wanted = [(0, 999), (0, 3), (0, 300), (0, 4)]
    assert list(read_photos(tmp_path / "shard", wanted)) == [(0, row, photos[row]) for row in (3, 4, 300, 999)]
    assert list(read_photos(tmp_path / "shard", [])) == []


def test_row_groups_without_a_wanted_photo_are_not_read(tmp_path: Path) -> None:
    photos = [bytes([number % 251]) * 1000 for number in range(3 * GROUP_ROWS)]
    write(tmp_path / "shard", photos)
    (part,) = parts(tmp_path / "shard")
    data = bytearray(part.read_bytes())
    first, last = data.index(photos[10]), data.index(photos[2 * GROUP_ROWS - 1])
    data[first - 4000 : last] = b"\xff" * (last - first + 4000)
    part.write_bytes(data)
    row = 2 * GROUP_ROWS + 7
    assert list(read_photos(tmp_path / "shard", [(0, row)])) == [(0, row, photos[row])]
    with pytest.raises(DataError, match="cannot be read"):
        list(read_photos(tmp_path / "shard", [(0, 11)]))


def test_a_part_ends_before_it_is_64_megabytes(tmp_path: Path) -> None:
    photo = os.urandom(MEGABYTE)
    places = write(tmp_path / "shard", [photo] * 130)
    assert [part.name for part in parts(tmp_path / "shard")] == [f"part-{number:05d}.parquet" for number in range(3)]
    assert [part.stat().st_size // MEGABYTE for part in parts(tmp_path / "shard")] == [59, 59, 12]
    assert places[58:61] == [(0, 58), (1, 0), (1, 1)]
    assert [data == photo for _, _, data in read_photos(tmp_path / "shard", [places[0], places[59], places[-1]])] == [
        True
    ] * 3


def test_many_tiny_photos_keep_a_part_under_64_megabytes_too(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "shard") as writer:
        for number in range(110_000):
            writer.add(f"{number:064x}", b"x" * 560)
    sizes = [part.stat().st_size for part in parts(tmp_path / "shard")]
    assert len(sizes) == 2
    assert 58 * MEGABYTE < sizes[0] < 64 * MEGABYTE


def test_a_shard_is_parquet_that_anything_opens(tmp_path: Path) -> None:
    write(tmp_path / "shard", [b"one", b"two"])
    table = pq.read_table(tmp_path / "shard")
    assert table.schema.equals(PHOTOS)
    assert table.column("jpeg").to_pylist() == [b"one", b"two"]


def test_the_same_photos_give_the_same_bytes(tmp_path: Path) -> None:
    photos = [os.urandom(100) for _ in range(700)]
    for name in ("a", "b"):
        write(tmp_path / name, photos)
    assert parts(tmp_path / "a")[0].read_bytes() == parts(tmp_path / "b")[0].read_bytes()


@pytest.fixture
def little_space() -> Iterator[None]:
    """No file may grow beyond 200 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("little_space")
@pytest.mark.parametrize("count", [250, 3000])  # at the end, and on the way
def test_a_full_disk_is_one_error_and_nothing_else(tmp_path: Path, count: int) -> None:
    with pytest.raises(OSError, match="File too large"):
        write(tmp_path / "shard", [os.urandom(1000)] * count)


def test_a_missing_part_says_how_to_get_it(tmp_path: Path) -> None:
    folder = tmp_path / "shard"
    write(folder, [b"photo"])
    with pytest.raises(DataError, match=r"part-00007\.parquet is missing: fetch it with `dvc pull .*shard`"):
        list(read_photos(folder, [(7, 0)]))


def test_a_broken_part_and_a_row_that_is_not_there_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "shard"
    write(folder, [b"photo"])
    for row in (1, GROUP_ROWS):
        with pytest.raises(DataError, match="cannot be read"):
            list(read_photos(folder, [(0, row)]))
    part = parts(folder)[0]
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"remove .*shard and run `dvc repro` again"):
        list(read_photos(folder, [(0, 0)]))


def test_tables_come_back_and_repeat_their_bytes(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b", None], "n": [1, 2, 3]})
    for name in ("one", "two"):
        write_table(table, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_table(tmp_path / "one").equals(table)
    assert read_table(tmp_path / "one", pa.schema([("n", pa.int64())])).column_names == ["n"]


def test_a_table_that_is_missing_broken_or_short_of_a_column_is_told(tmp_path: Path) -> None:
    path = tmp_path / "manifest.parquet"
    with pytest.raises(DataError, match=r"is missing: fetch it with `dvc pull .*`, or make it with `dvc repro`"):
        read_table(path)
    path.write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(path)
    write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(path, shards.MANIFEST)
