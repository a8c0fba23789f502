"""Validate: what is in the data, and whether its sides are alike, as evidence and as a page of deepchecks."""

import html
from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from petpark import files, images, lake, layout, shards
from petpark.build.neighbours import near_duplicates
from petpark.config.ingest import IngestSettings
from petpark.config.split import SplitSettings
from petpark.config.validate import ValidateSettings
from petpark.evidence.validation import ENOUGH_TO_COMPARE, BatchCount, Check, SideCount, Validation

_PAGE: Final = layout.REPORTS / "validation.html"
_EMPTY_PAGE: Final = (
    '<!doctype html>\n<meta charset="utf-8">\n<title>Data</title>\n<p>The sides were not compared: {}.</p>\n'
)
_SIDE: Final = 64  # short side of the pictures that deepchecks sees, in pixels

_Compared = tuple[tuple[Check, ...], dict[str, float]]


def validate(ingest: IngestSettings, split: SplitSettings, settings: ValidateSettings) -> None:
    """Count, look for leaks, compare the sides, and write what was found.

    Nothing is judged here: the evidence is written in any case, and the gate says no.

    Raises:
        DataError: the lake is incomplete.
    """
    photos = lake.read_split()
    manifests = {batch: shards.read_table(layout.manifest(batch), shards.MANIFEST) for batch in ingest.names()}
    checks, drift = _compare_sides(photos, settings.max_photos)
    dropped = Counter(photos.table.column("dropped").to_pylist())
    found = Validation(
        classes=tuple(_classes(photos)),
        batches=tuple(_batches(manifests, ingest)),
        duplicates=dropped["duplicate"],
        conflicts=dropped["conflict"],
        excluded=dropped["excluded"],
        corrected=pc.sum(photos.table.column("corrected")).as_py() or 0,
        leaked=_leaked(photos, manifests, ingest, split.near_duplicate_distance),
        drift=drift,
        checks=checks,
    )
    found.write(layout.VALIDATION)
    print(_summary(found, len(photos)))


def _summary(found: Validation, photos: int) -> str:
    quarantined = sum(batch.quarantined for batch in found.batches)
    dropped = f"{found.duplicates} duplicates, {found.conflicts} conflicting, {found.excluded} excluded"
    return f"{photos} photos: {dropped}, {quarantined} quarantined, {found.leaked} leaked"


def _classes(photos: lake.Photos) -> Iterator[SideCount]:
    count = Counter(zip(photos.column("label").tolist(), photos.column("side").tolist(), strict=True))
    for label in lake.labels(photos):
        yield SideCount(label=label, **{side: count[label, side] for side in lake.SIDES})


def _batches(manifests: dict[str, pa.Table], ingest: IngestSettings) -> Iterator[BatchCount]:
    for batch, table in manifests.items():
        reasons = Counter(reason for reason in table.column("reason").to_pylist() if reason)
        yield BatchCount(
            batch=batch,
            role=ingest.batches[batch].role,
            photos=table.num_rows,
            quarantined=reasons.total(),
            reasons=dict(sorted(reasons.items())),
        )


def _leaked(photos: lake.Photos, manifests: dict[str, pa.Table], ingest: IngestSettings, distance: int) -> int:
    """Count photos to learn from that look like one to judge on: by the hashes, not by the groups of the split."""
    hashes: dict[str, int] = {}
    judged = set(lake.side(photos, "test").ids)
    for batch, table in manifests.items():
        good = table.filter(pc.is_null(table.column("reason")))
        known = dict(zip(good.column("id").to_pylist(), good.column("phash").to_pylist(), strict=True))
        hashes |= known
        if ingest.batches[batch].role == "acceptance":
            judged |= known.keys()
    groups = near_duplicates(np.array(list(hashes.values()), np.uint64), distance)
    group = dict(zip(hashes, groups.tolist(), strict=True))
    taboo = {group[each] for each in judged & group.keys()}
    learned = {*lake.side(photos, "train").ids, *lake.side(photos, "validation").ids}
    return sum(group[each] in taboo for each in learned & group.keys())


def _compare_sides(photos: lake.Photos, most: int) -> _Compared:
    train, test = (_drawn(lake.side(photos, name), most) for name in ("train", "test"))
    if min(len(train), len(test)) < ENOUGH_TO_COMPARE:
        return _not_compared("SKIPPED", f"fewer than {ENOUGH_TO_COMPARE} photos on a side")
    from petpark.build import suite  # it takes seconds

    labels = lake.labels(photos)

    def sample(name: str, photos: lake.Photos) -> suite.SideSample:
        return suite.SideSample(name, _pictures(name, photos), photos.targets(labels).tolist(), photos.ids)

    try:
        result = suite.compare(sample("train", train), sample("test", test), labels, _PAGE)
    except suite.NotComparableError as error:
        return _not_compared("ERROR", str(error))
    return result.checks, result.drift


def _not_compared(status: str, why: str) -> _Compared:
    files.write_text(_PAGE, _EMPTY_PAGE.format(html.escape(why)))
    return (Check(name="deepchecks", status=status, info=why),), {}


def _drawn(photos: lake.Photos, most: int) -> lake.Photos:
    """At most so many photos, those with the smallest ids; the brightest comes first (deepchecks refuses black)."""
    rows = np.argsort(np.array(photos.ids))[:most]
    first = np.argsort(-photos.column("brightness")[rows].astype(np.float64), kind="stable")[:1]
    return photos.take(np.r_[rows[first], np.delete(rows, first)])


def _pictures(name: str, photos: lake.Photos) -> list[images.Pixels]:
    pictures: list[images.Pixels] = [np.empty((0, 0, 3), np.uint8)] * len(photos)
    for row, jpeg in tqdm(photos.stored(), f"read {name}", len(photos), unit="photo", disable=None, leave=False):
        pictures[row] = images.decode(jpeg, min_side=_SIDE).pixels
    return pictures
