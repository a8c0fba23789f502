"""Predictions of one model on known photos, as a Parquet file that other models are compared with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from petpark import files, shards
from petpark.errors import DataError

_LABELS = b"labels"


@dataclass(frozen=True)
class Predictions:
    """What a model said of N photos.

    Attributes:
        ids: N ids (SHA-256 of the original bytes).
        labels: the K labels, in the order of the columns of `probabilities`.
        truth: [N] index of the true label; -1 where it is none of the K.
        probabilities: [N, K] float32.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """[N] index of the most probable label."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)


def write(predictions: Predictions, path: Path) -> None:
    """Write predictions, whole or not at all."""
    names = np.array([*predictions.labels, ""], dtype=object)
    table = pa.table(
        {
            "id": pa.array(predictions.ids, pa.string()),
            "label": pa.array(names[predictions.truth], pa.string()),
            "predicted": pa.array(names[predictions.predicted], pa.string()),
            "probabilities": pa.FixedSizeListArray.from_arrays(
                pa.array(predictions.probabilities.ravel(), pa.float32()), len(predictions.labels)
            ),
        }
    ).replace_schema_metadata({_LABELS: "\n".join(predictions.labels).encode()})
    with files.whole(path) as partial:
        shards.write_table(table, partial)


def read(path: Path) -> Predictions:
    """Read predictions.

    Raises:
        DataError: missing or not such a file.
    """
    table = shards.read_table(path)
    if _LABELS not in (table.schema.metadata or {}) or not {"id", "label", "probabilities"} <= set(table.column_names):
        raise DataError(f"{path} holds no predictions: make it again with `dvc repro evaluate`.")
    labels = tuple(table.schema.metadata[_LABELS].decode().split("\n"))
    index = {label: place for place, label in enumerate(labels)}
    truth = [index.get(label, -1) for label in table.column("label").to_pylist()]
    flat = table.column("probabilities").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return Predictions(
        tuple(table.column("id").to_pylist()),
        labels,
        np.array(truth, np.int64),
        np.asarray(flat, np.float32).reshape(-1, len(labels)),
    )
