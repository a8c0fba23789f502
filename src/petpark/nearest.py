"""Which known photos look alike to the model: those whose embeddings point the same way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from petpark import files, layout
from petpark.errors import DataError

# pyarrow is imported where it is needed: a service that is not asked for explanations does without.

INDEX: Final = layout.MODELS / "index.parquet"
_COLUMNS: Final = {"id": "string", "label": "string", "embedding": "binary"}
_MODEL: Final = b"model"
_STEPS: Final = 127


@dataclass(frozen=True)
class Neighbour:
    """A known photo that the model finds similar to another one."""

    id: str
    label: str
    similarity: float
    """Cosine of the embeddings, 1 is the same."""


class Index:
    """Known photos, in memory, to be searched by how alike they look to one model.

    Args:
        ids: of M photos.
        labels: of each.
        embeddings: [M, E].
        model: SHA-256 of the model file that made the embeddings.
    """

    def __init__(
        self, ids: Sequence[str], labels: Sequence[str], embeddings: NDArray[np.float32], model: str = ""
    ) -> None:
        self.ids, self.labels, self.model = tuple(ids), tuple(labels), model
        self.units = _unit(embeddings)

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, embedding: NDArray[np.float32], count: int) -> list[Neighbour]:
        """Find the photos that are most similar to an embedding [E], the most similar first.

        Raises:
            DataError: the embedding is of another width, and so of another model.
        """
        if not self.ids:
            return []
        if embedding.shape != self.units.shape[1:]:
            raise DataError(
                f"The index of training photos is of another model (embeddings of {self.units.shape[1]} numbers, "
                f"not {embedding.size}): make it again with `dvc repro package`."
            )
        rows, cosines = _best(_unit(embedding[None]) @ self.units.T, count)
        return [
            Neighbour(self.ids[row], self.labels[row], cosine)
            for row, cosine in zip(rows[0].tolist(), cosines[0].tolist(), strict=True)
        ]


def most_similar(
    query: NDArray[np.float32], known: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the most similar embeddings by cosine.

    Args:
        query: [N, E].
        known: [M, E].
        count: how many, at most M.

    Returns:
        rows of `known` [N, count], the most similar first, and their cosines [N, count].
    """
    return _best(_unit(query) @ _unit(known).T, count)


def write(index: Index, path: Path = INDEX) -> None:
    """Write an index, whole or not at all: each embedding as the int8 vector that points its way (E bytes)."""
    import pyarrow as pa

    from petpark import shards

    columns = [[*index.ids], [*index.labels], [row.tobytes() for row in _rounded(index.units)]]
    schema = _schema().with_metadata({_MODEL: index.model.encode()})
    with files.whole(path) as partial:
        shards.write_table(pa.table(columns, schema=schema), partial)


def read(path: Path = INDEX, model: Path | None = None) -> Index:
    """Read an index.

    Args:
        path: the file.
        model: the model file that is to be explained, if the index is to be checked against it.

    Raises:
        DataError: missing, no index, or one of another model.
    """
    from petpark import shards

    table = shards.read_table(path)
    metadata = table.schema.metadata or {}
    if not table.schema.equals(_schema()) or _MODEL not in metadata:
        raise DataError(f"{path} holds no index of photos: make it again with `dvc repro package`.")
    made_by = metadata[_MODEL].decode()
    if model is not None and made_by != files.sha256(model):
        raise DataError(f"{path} is the index of another model than {model}: make both with `dvc repro package`.")
    ids, labels, rows = (table.column(name).to_pylist() for name in _COLUMNS)
    if len({len(row) for row in rows}) > 1:
        raise DataError(f"{path} holds embeddings of several models: make it again with `dvc repro package`.")
    vectors = np.frombuffer(b"".join(rows), np.int8).reshape(len(rows), -1 if rows else 0)
    return Index(ids, labels, vectors.astype(np.float32), made_by)


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in _COLUMNS.items()])


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _rounded(units: NDArray[np.float32]) -> NDArray[np.int8]:
    greatest = np.abs(units).max(axis=1, keepdims=True, initial=1e-12)
    return np.asarray(np.rint(units / greatest * _STEPS), np.int8)


def _best(cosines: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Columns of the greatest cosines in each row [N, count], and these; of equals the first."""
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return rows.astype(np.int64), np.clip(np.take_along_axis(cosines, rows, axis=1), -1, 1)
