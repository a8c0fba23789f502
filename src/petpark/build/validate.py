"""Validate: what is in the data, and whether its sides are alike, as evidence and as a page of deepchecks."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from petpark import evidence, files, images, lake, layout, shards
from petpark.build import suite
from petpark.build.neighbours import near_duplicates
from petpark.config.ingest import IngestSettings
from petpark.config.split import SplitSettings
from petpark.config.validate import ValidateSettings

_PAGE = layout.REPORTS / "validation.html"
_ENOUGH = 200  # with fewer photos on a side, drift scores exceed any limit by chance
_SIDE = 64  # short side of the pictures that deepchecks sees, in pixels


def validate(ingest: IngestSettings, split: SplitSettings, settings: ValidateSettings) -> None:
    """Count, look for leaks, compare the sides, and write what was found.

    Nothing is judged here: the evidence is written in any case, and the gate says no.

    Raises:
        DataError: the lake is incomplete.
    """
    photos = lake.read_split()
    manifests = {batch: shards.read_table(layout.manifest(batch), shards.MANIFEST) for batch in ingest.names()}
    result = _compare_sides(photos, settings.max_photos)
    dropped = Counter(photos.table.column("dropped").to_pylist())
    found = evidence.Validation(
        classes=tuple(_classes(photos)),
        batches=tuple(_batches(manifests, ingest)),
        duplicates=dropped["duplicate"],
        conflicts=dropped["conflict"],
        excluded=dropped["excluded"],
        corrected=pc.sum(photos.table.column("corrected")).as_py() or 0,
        leaked=_leaked(photos, manifests, ingest, split.near_duplicate_distance),
        drift=result.drift,
        checks=result.checks,
    )
    evidence.write(found, layout.VALIDATION)
    print(_summary(found, len(photos)))


def _summary(found: evidence.Validation, photos: int) -> str:
    quarantined = sum(batch.quarantined for batch in found.batches)
    dropped = f"{found.duplicates} duplicates, {found.conflicts} conflicting, {found.excluded} excluded"
    return f"{photos} photos: {dropped}, {quarantined} quarantined, {found.leaked} leaked"


def _classes(photos: lake.Photos) -> Iterator[evidence.SideCount]:
    count = Counter(zip(photos.column("label").tolist(), photos.column("side").tolist(), strict=True))
    for label in lake.labels(photos):
        yield evidence.SideCount(label=label, **{side: count[label, side] for side in lake.SIDES})


def _batches(manifests: dict[str, pa.Table], ingest: IngestSettings) -> Iterator[evidence.BatchCount]:
    for batch, table in manifests.items():
        reasons = Counter(reason for reason in table.column("reason").to_pylist() if reason)
        yield evidence.BatchCount(
            batch=batch,
            role=ingest.batches[batch].role,
            photos=table.num_rows,
            quarantined=reasons.total(),
            reasons=dict(sorted(reasons.items())),
        )


def _leaked(photos: lake.Photos, manifests: dict[str, pa.Table], ingest: IngestSettings, distance: int) -> int:
    """Count photos to learn from that look like one to judge on: by the hashes, not by the groups of the split."""
    hashes: dict[str, int] = {}
    acceptance: set[str] = set()
    for batch, table in manifests.items():
        good = table.filter(pc.is_null(table.column("reason")))
        pairs = zip(good.column("id").to_pylist(), good.column("phash").to_pylist(), strict=True)
        known = dict(pairs)
        hashes |= known
        if ingest.batches[batch].role == "acceptance":
            acceptance |= known.keys()
    side = {row["id"]: row["side"] for row in photos.table.select(["id", "side"]).to_pylist() if row["side"]}
    ids = list(hashes)
    groups = near_duplicates(np.array([hashes[each] for each in ids], np.uint64), distance)
    judged = {
        int(group) for each, group in zip(ids, groups, strict=True) if each in acceptance or side.get(each) == "test"
    }
    learned = ("train", "validation")
    return sum(side.get(each) in learned and int(group) in judged for each, group in zip(ids, groups, strict=True))


def _compare_sides(photos: lake.Photos, most: int) -> suite.SuiteResult:
    train, test = (_drawn(lake.side(photos, name), most) for name in ("train", "test"))
    if min(len(train), len(test)) < _ENOUGH:
        files.write_text(
            _PAGE, f"<!doctype html><p>Fewer than {_ENOUGH} photos on a side: drift was not measured.</p>\n"
        )
        note = f"fewer than {_ENOUGH} photos on a side"
        return suite.SuiteResult((evidence.Check(name="deepchecks", status="SKIPPED", info=note),), {})
    labels = lake.labels(photos)
    return suite.compare(_sample("train", train, labels), _sample("test", test, labels), labels, _PAGE)


def _drawn(photos: lake.Photos, most: int) -> lake.Photos:
    """At most so many photos, those with the smallest ids; the brightest comes first (deepchecks refuses black)."""
    rows = np.argsort(np.array(photos.ids))[:most]
    light = photos.column("brightness")[rows]
    first = int(np.argmax(light)) if len(rows) else 0
    return photos.take(np.r_[rows[first : first + 1], np.delete(rows, first)] if len(rows) else rows)


def _sample(name: str, photos: lake.Photos, labels: tuple[str, ...]) -> suite.SideSample:
    pictures: list[images.Pixels] = [np.empty((0, 0, 3), np.uint8)] * len(photos)
    for row, jpeg in tqdm(photos.stored(), f"read {name}", len(photos), unit="photo", disable=None, leave=False):
        pictures[row] = images.decode(jpeg, min_side=_SIDE).pixels
    return suite.SideSample(name, pictures, photos.targets(labels).tolist(), photos.ids)
