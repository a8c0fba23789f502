"""Ingest: from an archive of photos to a manifest, a shard, and a few originals."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from tqdm import tqdm

from petpark import files, layout, shards
from petpark.build import archive, photo, pool
from petpark.config.ingest import IngestSettings
from petpark.errors import DataError

_ORIGINALS: Final = 8
_ORIGINAL_BYTES: Final = 2_000_000


def ingest(batch: str, sha256: str, settings: IngestSettings, workers: int | None = None) -> None:
    """Check every photo of a batch and write its manifest, its shard, and its smallest originals.

    The same archive and settings give the same bytes on any number of workers, and the outputs appear when all of them
    are whole, the manifest last.

    Args:
        batch: name of the batch; its archive is `data/<batch>.tar`.
        sha256: what the archive's SHA-256 must be.
        settings: how photos are checked and stored.
        workers: processes that work on photos; None takes one for each core.

    Raises:
        DataError: the archive is missing, another one, cannot be read, or holds no photo that can be used.
        SetupError: a worker process was killed.
        OSError: no space is left.
    """
    path = layout.archive(batch)
    if path.parent != layout.DATA:
        raise DataError(f"{batch!r} is no batch: name one that params.yaml lists (`petpark data list`).")
    if not path.is_file():
        raise DataError(f"{path} is missing: fetch it with `dvc pull {path}`, or add it with `petpark data add`.")
    with ThreadPoolExecutor(1) as hasher:
        digest = hasher.submit(files.sha256, path)
        try:
            counts = _write(batch, sha256, settings, workers or len(os.sched_getaffinity(0)), digest)
        except DataError:
            _check(batch, sha256, digest.result())  # the better reason, where it is one
            raise
    print(_summary(batch, counts))


def _write(batch: str, sha256: str, settings: IngestSettings, workers: int, digest: "Future[str]") -> "Counter[str]":
    path = layout.archive(batch)
    recipe = photo.Recipe(settings.short_side, settings.quality, settings.max_megapixels * 1_000_000)
    with (
        files.whole(layout.manifest(batch)) as manifest,  # the innermost appears first, and this one last
        files.whole(layout.originals(batch)) as originals,
        files.whole(layout.shard(batch)) as shard,
    ):
        examined = pool.examine(path, recipe, workers)
        with shards.ShardWriter(shard) as photos, closing(examined), tqdm(**_bar(batch, path)) as bar:
            rows = _Rows(photos)
            for members, verdicts in examined:
                rows.add(members, verdicts)
                bar.update(members[-1].offset + members[-1].size - bar.n)
                if digest.done():
                    _check(batch, sha256, digest.result())
        counts = rows.counts(path)
        _check(batch, sha256, digest.result())
        shards.write_table(rows.manifest(), manifest)
        shards.write_table(_originals(path, rows), originals)
        files.remove(layout.manifest(batch))  # an old manifest never stands beside new photos
    return counts


def _bar(batch: str, path: Path) -> dict[str, Any]:
    return {
        "desc": batch,
        "total": path.stat().st_size,
        "unit": "B",
        "unit_scale": True,
        "disable": None,
        "leave": False,
    }


def _check(batch: str, expected: str, found: str) -> None:
    if found != expected:
        path = layout.archive(batch)
        raise DataError(
            f"batch '{batch}' is not what params.yaml says (sha256 {expected[:4] or 'none'}… expected, {found[:4]}… "
            "found). "
            f"Add it again with `petpark data add {path}`, or restore it with `dvc checkout {path}`."
        )


def _summary(batch: str, counts: "Counter[str]") -> str:
    bad = counts.total() - counts[""]
    return f"{batch}: {counts.total():,} photos, {bad:,} in quarantine" + (f" ({_reasons(counts)})" if bad else "")


def _reasons(counts: "Counter[str]") -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()) if reason)


class _Rows:
    """The rows of a manifest, in the order of the archive."""

    def __init__(self, photos: shards.ShardWriter) -> None:
        self._photos = photos
        self._columns: dict[str, list[Any]] = {name: [] for name in shards.MANIFEST.names}
        self.members: list[archive.Member] = []

    def add(self, members: pool.Chunk, verdicts: pool.Verdicts) -> None:
        """Append examined photos, and their stored forms to the shard."""
        self.members += members
        for member, verdict in zip(members, verdicts, strict=True):
            part, row = (None, None) if verdict.jpeg is None else self._photos.add(verdict.id, verdict.jpeg)
            values = {"label": member.label, "name": member.name, "bytes": member.size, "part": part, "row": row}
            values |= verdict._asdict()
            for name, column in self._columns.items():
                column.append(values[name])

    def counts(self, path: Path) -> "Counter[str]":
        """Count the photos by the reason of their quarantine, good ones under "".

        Raises:
            DataError: there is no good one.
        """
        counts = Counter(reason or "" for reason in self._columns["reason"])
        if not counts:
            raise DataError(
                f"{path} holds no photo: a batch is photos in folders, one folder a label. "
                "Add it again with `petpark data add`."
            )
        if not counts[""]:
            raise DataError(
                f"{path}: none of its {counts.total():,} photos can be used ({_reasons(counts)}; docs/quarantine.md "
                "explains the reasons). Add it again with `petpark data add`."
            )
        return counts

    def manifest(self) -> pa.Table:
        """The table (schema MANIFEST)."""
        return pa.table(self._columns, schema=shards.MANIFEST)

    def good(self) -> Iterator[tuple[str, archive.Member]]:
        """Yield id and place of each good photo."""
        for photo_id, reason, member in zip(self._columns["id"], self._columns["reason"], self.members, strict=True):
            if reason is None:
                yield photo_id, member


def _originals(path: Path, rows: _Rows) -> pa.Table:
    """Read the photos with the smallest ids of each label once more (schema ORIGINALS)."""
    places: dict[str, dict[str, archive.Member]] = {}
    for photo_id, member in rows.good():
        if member.size <= _ORIGINAL_BYTES:
            places.setdefault(member.label, {}).setdefault(photo_id, member)
    chosen = [item for _, label in sorted(places.items()) for item in sorted(label.items())[:_ORIGINALS]]
    with path.open("rb") as file:
        data = [photo.read_at(file.fileno(), member.offset, member.size) for _, member in chosen]
    return pa.table(
        [[photo_id for photo_id, _ in chosen], [member.label for _, member in chosen], data], schema=shards.ORIGINALS
    )
