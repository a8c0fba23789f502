"""The split lake: which photo is on which side, and where its stored form lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petpark import layout, shards

Side = Literal["train", "validation", "test"]
SIDES: Final[tuple[Side, ...]] = ("train", "validation", "test")

SPLIT: Final = pa.schema(
    [
        ("id", pa.string()),
        ("label", pa.string()),  # after corrections
        ("batch", pa.string()),
        ("side", pa.string()),  # null where the photo was dropped
        ("dropped", pa.string()),  # duplicate, conflict or excluded; null where it stayed
        ("corrected", pa.bool_()),
        ("group", pa.int64()),  # photos of one group look alike and stay on one side
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("brightness", pa.float32()),
        ("contrast", pa.float32()),
        ("saturation", pa.float32()),
        ("part", pa.int32()),
        ("row", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Photos:
    """Some photos of the split, each by its row of `table` (schema SPLIT)."""

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ids(self) -> list[str]:
        """The photos' ids."""
        return [str(value) for value in self.table.column("id").to_pylist()]

    def column(self, name: str) -> NDArray[np.generic]:
        """One column, [N]."""
        return np.asarray(self.table.column(name).to_numpy(zero_copy_only=False))

    def targets(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
        """[N] index of each photo's label in `labels`."""
        index = {label: place for place, label in enumerate(labels)}
        return np.array([index[label] for label in self.table.column("label").to_pylist()], np.int64)

    def take(self, rows: NDArray[np.int64]) -> "Photos":
        """Some of these photos, in the order of `rows`."""
        return Photos(self.table.take(pa.array(rows)))

    def stored(self) -> Iterator[tuple[int, bytes]]:
        """Yield (row, JPEG bytes) of every photo, in the order in which they lie on disk.

        Raises:
            DataError: a shard is missing or broken.
        """
        batches = self.column("batch")
        parts, rows = self.column("part").tolist(), self.column("row").tolist()
        for batch in sorted(set(batches.tolist())):
            places: dict[tuple[int, int], list[int]] = {}
            for i in np.flatnonzero(batches == batch).tolist():
                places.setdefault((parts[i], rows[i]), []).append(i)
            for part, row, jpeg in shards.read_photos(layout.shard(batch), places):
                yield from ((i, jpeg) for i in places[part, row])


def read_split(path: Path = layout.SPLIT) -> Photos:
    """Read all rows of the split, dropped ones too.

    Raises:
        DataError: missing or not readable.
    """
    return Photos(shards.read_table(path, SPLIT))


def side(photos: Photos, name: Side) -> Photos:
    """The photos of one side."""
    return Photos(photos.table.filter(pc.equal(photos.table.column("side"), name)))


def labels(photos: Photos) -> tuple[str, ...]:
    """The labels of all photos that stayed, sorted."""
    kept = photos.table.filter(pc.is_valid(photos.table.column("side")))
    return tuple(sorted(set(kept.column("label").to_pylist())))
