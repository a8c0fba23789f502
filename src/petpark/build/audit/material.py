"""What an audit looks at: the manifests and the split, and which photos of them are judged."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petpark import lake, layout, shards
from petpark.build import corrections
from petpark.config.ingest import IngestSettings
from petpark.errors import DataError

UNSETTLED = -1


@dataclass(frozen=True)
class Material:
    """The lake as an audit sees it.

    Attributes:
        manifests: one table for each batch (schema MANIFEST), in the order of params.yaml.
        split: all rows of the split.
        photos: the N photos that are judged, one row for each id: those that stayed, and those under two labels.
        labels: the K labels.
        targets: [N] index of each photo's label; UNSETTLED where it came under several.
        settled: [N] whether corrections.csv names the photo: its label is known, and nothing is proposed for it.
        came_under: the labels of each photo that came under several, by id.
    """

    manifests: dict[str, pa.Table]
    split: lake.Photos
    photos: lake.Photos
    labels: tuple[str, ...]
    targets: NDArray[np.int64]
    settled: NDArray[np.bool_]
    came_under: dict[str, tuple[str, ...]]

    @property
    def groups(self) -> NDArray[np.int64]:
        """[N] photos with one number look alike."""
        return np.asarray(self.photos.column("group"), np.int64)


def read(ingest: IngestSettings) -> Material:
    """Read manifests, split and corrections.

    Raises:
        DataError: one of them is missing or broken, or the split is of other batches.
    """
    manifests = {name: shards.read_table(layout.manifest(name), shards.MANIFEST) for name in ingest.names()}
    split = lake.read_split()
    strangers = set(split.column("batch").tolist()) - set(ingest.names("train"))
    if strangers:
        raise DataError(
            f"{layout.SPLIT} holds photos of '{min(strangers)}', and params.yaml has no such batch to train on: "
            "run `dvc repro split`."
        )
    settled = corrections.read()
    came_under = dict(_came_under(split))
    photos = _judged(split)
    labels = lake.labels(split)
    index = {label: place for place, label in enumerate(labels)} | dict.fromkeys(came_under, UNSETTLED)
    known = zip(photos.ids, photos.column("label").tolist(), strict=True)
    targets = [UNSETTLED if photo_id in came_under else index[label] for photo_id, label in known]
    return Material(
        manifests=manifests,
        split=split,
        photos=photos,
        labels=labels,
        targets=np.array(targets, np.int64),
        settled=np.array([each in settled for each in photos.ids], bool),
        came_under=came_under,
    )


def good(batch: str, manifest: pa.Table) -> lake.Photos:
    """The photos of a batch that have a stored form, in the order in which they lie on disk."""
    table = manifest.filter(pc.is_null(manifest.column("reason")))
    table = table.append_column("batch", pa.repeat(batch, table.num_rows))
    return lake.Photos(table.sort_by([("part", "ascending"), ("row", "ascending")]))


def _judged(split: lake.Photos) -> lake.Photos:
    dropped = split.column("dropped").tolist()
    rows, seen = [], set()
    for row, (photo_id, reason) in enumerate(zip(split.ids, dropped, strict=True)):
        if reason is None or (reason == "conflict" and photo_id not in seen):
            rows.append(row)
            seen.add(photo_id)
    return split.take(np.array(rows, np.int64))


def _came_under(split: lake.Photos) -> Iterator[tuple[str, tuple[str, ...]]]:
    rows = zip(split.ids, split.column("label").tolist(), split.column("dropped").tolist(), strict=True)
    found: dict[str, set[str]] = {}
    for photo_id, label, dropped in rows:
        if dropped == "conflict":
            found.setdefault(photo_id, set()).add(label)
    for photo_id, several in found.items():
        yield photo_id, tuple(sorted(several))
