"""Golden rows: full-size originals with the answers that every form of a model must give."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from petpark import files, layout, shards


@dataclass(frozen=True)
class GoldenRows:
    """N photos as they arrived, and the packaged model's answers.

    Attributes:
        ids: N ids (SHA-256 of the original bytes).
        photos: N files, as bytes.
        probabilities: [N, K] float32.
    """

    ids: tuple[str, ...]
    photos: tuple[bytes, ...]
    probabilities: NDArray[np.float32]


def write(rows: GoldenRows, path: Path = layout.GOLDEN) -> None:
    """Write golden rows, whole or not at all."""
    answers = pa.array(rows.probabilities.ravel(), pa.float32())
    table = pa.table(
        {
            "id": pa.array(rows.ids, pa.string()),
            "image": pa.array(rows.photos, pa.binary()),
            "probabilities": pa.FixedSizeListArray.from_arrays(answers, rows.probabilities.shape[1]),
        }
    )
    with files.whole(path) as partial:
        shards.write_table(table, partial)


def read(path: Path = layout.GOLDEN) -> GoldenRows:
    """Read golden rows.

    Raises:
        DataError: missing or not readable.
    """
    table = shards.read_table(path)
    flat = table.column("probabilities").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return GoldenRows(
        tuple(table.column("id").to_pylist()),
        tuple(table.column("image").to_pylist()),
        np.asarray(flat, np.float32).reshape(table.num_rows, -1),
    )
