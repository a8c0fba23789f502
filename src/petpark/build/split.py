"""Split: which photo is on which side, as a function of the photos alone."""

import hashlib
from collections import Counter
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from petpark import files, lake, layout, shards
from petpark.build import corrections
from petpark.build.corrections import EXCLUDED
from petpark.build.neighbours import near_duplicates
from petpark.config.ingest import IngestSettings
from petpark.config.split import SplitSettings
from petpark.errors import DataError

_TEST: Final = lake.SIDES.index("test")  # sides by number: the greatest of a group wins


def split(ingest: IngestSettings, settings: SplitSettings) -> None:
    """Give each good photo of the training batches its side, or the reason why it was dropped.

    A photo's side is drawn by a hash of its own id. Then a whole group of near-duplicates goes to test if any of them
    does, be it a dropped one or one of an acceptance batch; else to validation if any does. So what was ever in test
    stays there as batches are added.

    Raises:
        DataError: a manifest is missing, corrections.csv is wrong, or a label or a side is left without photos.
    """
    if not ingest.names("train"):
        raise DataError("params.yaml lists no batch with the role `train`: add one with `petpark data add`.")
    settled = corrections.read()
    photos = _read(ingest)
    _note_unknown(settled, photos)
    good = photos.filter(pc.is_null(photos.column("reason")))
    table = _rows(good, _groups(good, settings.near_duplicate_distance), settled, settings)
    _check(photos, table, settled)
    with files.whole(layout.SPLIT) as partial:
        shards.write_table(table, partial)
    print(_summary(table))


def _read(ingest: IngestSettings) -> pa.Table:
    """All manifests, in the order of params.yaml, with the columns `batch` and `learned` (not of acceptance)."""
    tables = []
    for name, batch in ingest.batches.items():
        table = shards.read_table(layout.manifest(name), shards.MANIFEST)
        table = table.append_column("batch", pa.repeat(name, table.num_rows))
        tables.append(table.append_column("learned", pa.repeat(batch.role == "train", table.num_rows)))
    photos = pa.concat_tables(tables).combine_chunks()
    if pc.any(pc.equal(photos.column("label"), EXCLUDED)).as_py():
        raise DataError(f"a batch has a folder `{EXCLUDED}`, and that is no label: name the folder otherwise.")
    return photos


def _note_unknown(settled: dict[str, str], photos: pa.Table) -> None:
    unknown = sorted(settled.keys() - set(photos.column("id").to_pylist()))
    if unknown:
        print(f"{layout.CORRECTIONS} names {_photos(len(unknown))} in no batch, such as {unknown[0]}.")


def _groups(good: pa.Table, distance: int) -> NDArray[np.int64]:
    return near_duplicates(good.column("phash").to_numpy().astype(np.uint64), distance)


def _rows(good: pa.Table, groups: NDArray[np.int64], settled: dict[str, str], settings: SplitSettings) -> pa.Table:
    """Decide about each good photo of the training batches (schema SPLIT)."""
    learned = good.column("learned").to_numpy(zero_copy_only=False)
    sides = _sides(good.column("id").to_pylist(), learned, groups, settings)[learned]
    rows = good.filter(pa.array(learned))
    ids, labels = rows.column("id").to_pylist(), rows.column("label").to_pylist()
    dropped = _dropped(ids, labels, settled)
    stays = np.array([reason is None for reason in dropped], bool)
    corrected = np.array([each in settled for each in ids], bool) & stays
    columns = {name: rows.column(name) for name in rows.column_names} | {
        "label": [settled[each] if new else label for each, label, new in zip(ids, labels, corrected, strict=True)],
        "side": pa.array(np.array(lake.SIDES)[sides], pa.string(), mask=~stays),
        "dropped": dropped,
        "corrected": corrected,
        "group": groups[learned],
    }
    return pa.table({name: columns[name] for name in lake.SPLIT.names}, schema=lake.SPLIT)


def _sides(
    ids: list[str], learned: NDArray[np.bool_], groups: NDArray[np.int64], settings: SplitSettings
) -> NDArray[np.int64]:
    """[N] number of each photo's side: the greatest that any of its group drew."""
    drawn = np.array([_draw(each) for each in ids])
    rest = settings.test_share + (1 - settings.test_share) * settings.validation_share
    own = np.where(~learned | (drawn < settings.test_share), _TEST, np.where(drawn < rest, 1, 0))
    greatest = np.zeros(int(groups.max(initial=-1)) + 1, np.int64)
    np.maximum.at(greatest, groups, own)
    return np.asarray(greatest[groups])


def _draw(photo_id: str) -> float:
    """A number from [0, 1) that is the id's own; hashed once more, as small ids have other duties."""
    return int.from_bytes(hashlib.sha256(f"side of {photo_id}".encode()).digest()[:6], "big") / 2**48


def _dropped(ids: list[str], labels: list[str], settled: dict[str, str]) -> list[str | None]:
    """Why each photo is dropped; None where it stays."""
    found: dict[str, set[str]] = {}
    for each, label in zip(ids, labels, strict=True):
        found.setdefault(each, set()).add(label)
    seen: set[str] = set()
    reasons: list[str | None] = []
    for each in ids:
        if settled.get(each) == EXCLUDED:
            reasons.append("excluded")
        elif len(found[each]) > 1 and each not in settled:
            reasons.append("conflict")
        else:
            reasons.append("duplicate" if each in seen else None)
        seen.add(each)
    return reasons


def _check(photos: pa.Table, table: pa.Table, settled: dict[str, str]) -> None:
    """Refuse a split that nothing can be learned from or judged on."""
    learned = photos.filter(photos.column("learned"))
    pairs = zip(learned.column("id").to_pylist(), learned.column("label").to_pylist(), strict=True)
    came = Counter(settled.get(photo_id, label) for photo_id, label in pairs)
    del came[EXCLUDED]
    if len(came) < 2:
        what = f"have the label '{next(iter(came))}'" if came else "are excluded"
        raise DataError(f"all photos {what}, and a classifier needs two labels: add a batch with `petpark data add`.")
    left = Counter(table.filter(pc.is_valid(table.column("side"))).column("label").to_pylist())
    for label in sorted(came):
        if left[label] < 2:
            raise DataError(_too_few(label, came[label], left[label]))
    sides = Counter(table.column("side").to_pylist())
    for side in lake.SIDES:
        if not sides[side]:
            raise DataError(
                f"no photo fell on the side '{side}': add photos with `petpark data add`, or give that side a larger "
                "share in params.yaml (split)."
            )


def _too_few(label: str, came: int, left: int) -> str:
    return (
        f"label '{label}' has {_photos(came)}, and {'one' if left else 'none'} that can be used (what is in "
        "quarantine, comes twice, or has two labels cannot); two are the least. Is the label misspelt? If not, add "
        f"more with `petpark data add`, or give its photos the label `{EXCLUDED}` in {layout.CORRECTIONS}."
    )


def _photos(count: int) -> str:
    return f"{count:,} photo{'' if count == 1 else 's'}"


def _summary(table: pa.Table) -> str:
    sides, dropped = (Counter(table.column(name).drop_null().to_pylist()) for name in ("side", "dropped"))
    text = ", ".join(f"{side} {sides[side]:,}" for side in lake.SIDES)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(dropped.items()))
    return f"{table.num_rows:,} photos: {text}" + (f"; dropped: {reasons}" if reasons else "")
