"""Manifests and shards: what ingest writes and everything else reads (Parquet)."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from petpark.errors import DataError

PART_BYTES: Final = 60_000_000  # a part stays under 64 MB with Parquet's own bytes
GROUP_ROWS: Final = 256

MANIFEST: Final = pa.schema(
    [
        ("id", pa.string()),  # SHA-256 of the original bytes
        ("label", pa.string()),
        ("name", pa.string()),  # path inside the archive
        ("reason", pa.string()),  # why it is in quarantine; null where the photo is good
        ("detail", pa.string()),
        ("bytes", pa.int64()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("brightness", pa.float32()),
        ("contrast", pa.float32()),
        ("saturation", pa.float32()),
        ("phash", pa.uint64()),
        ("part", pa.int32()),  # where the stored photo lies in the shard
        ("row", pa.int32()),
    ]
)
PHOTOS: Final = pa.schema([("id", pa.string()), ("jpeg", pa.binary())])
ORIGINALS: Final = pa.schema([("id", pa.string()), ("label", pa.string()), ("image", pa.binary())])


def read_table(path: Path, schema: pa.Schema | None = None) -> pa.Table:
    """Read a Parquet file.

    Raises:
        DataError: the file is missing, no Parquet, or lacks a column.
    """
    try:
        return pq.read_table(path, columns=None if schema is None else schema.names)
    except FileNotFoundError:
        raise DataError(f"{path} is missing: fetch it with `dvc pull {path}`, or make it with `dvc repro`.") from None
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}): remove it and run `dvc repro` again.") from None


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file; the same table gives the same bytes."""
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)


class ShardWriter:
    """Writes stored photos into numbered Parquet parts of at most 64 MB; a context manager that closes itself.

    Args:
        folder: where the parts go; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._part = -1
        self._row = self._size = 0
        self._ids: list[str] = []
        self._photos: list[bytes] = []
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        elif self._file is not None:  # on a full disk, say: the file is lost, and its end cannot be written either
            with suppress(OSError, pa.ArrowInvalid):
                self._file.close()

    def add(self, photo_id: str, jpeg: bytes) -> tuple[int, int]:
        """Append a photo and return its place: (part, row)."""
        size = len(photo_id) + len(jpeg) + 8  # Parquet puts the length before each value
        if self._file is None or self._size + size > PART_BYTES:
            self._next_part()
        place = (self._part, self._row)
        self._ids.append(photo_id)
        self._photos.append(jpeg)
        self._row += 1
        self._size += size
        if len(self._ids) == GROUP_ROWS:
            self._flush()
        return place

    def close(self) -> None:
        """Finish the last part."""
        self._flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next_part(self) -> None:
        self.close()
        self._part, self._row, self._size = self._part + 1, 0, 0
        path = self._folder / f"part-{self._part:05d}.parquet"
        self._file = pq.ParquetWriter(path, PHOTOS, compression="none", use_dictionary=False, write_statistics=False)

    def _flush(self) -> None:
        if self._ids and self._file is not None:
            self._file.write_table(pa.table([self._ids, self._photos], schema=PHOTOS), row_group_size=GROUP_ROWS)
            self._ids, self._photos = [], []


def read_photos(folder: Path, wanted: Collection[tuple[int, int]]) -> Iterator[tuple[int, int, bytes]]:
    """Yield (part, row, JPEG bytes) of the wanted places, in order, reading no row group without one.

    Raises:
        DataError: a part is missing or broken.
    """
    rows: dict[int, dict[int, list[int]]] = {}
    for part, row in sorted(wanted):
        rows.setdefault(part, {}).setdefault(row // GROUP_ROWS, []).append(row)
    for part, groups in rows.items():
        path = folder / f"part-{part:05d}.parquet"
        try:
            with pq.ParquetFile(path) as file:
                for group, places in groups.items():
                    photos = file.read_row_group(group, columns=["jpeg"]).column("jpeg")
                    for row in places:
                        yield part, row, photos[row - group * GROUP_ROWS].as_py()
        except FileNotFoundError:
            raise DataError(f"{path} is missing: fetch it with `dvc pull {folder}`.") from None
        except (pa.ArrowInvalid, OSError, IndexError) as error:
            raise DataError(f"{path} cannot be read ({error}): remove {folder} and run `dvc repro` again.") from None
