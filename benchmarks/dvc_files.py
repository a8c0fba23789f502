"""`dvc add`, `dvc push` and `dvc pull` of many small photos: as one batch of petpark's, and as loose files."""

import shutil
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import harness, pictures, repository, result

COUNT: Final = 30_000
_ROUNDS: Final = 3
_TIMES: Final = 10


def run() -> result.Result:
    """Race a batch's archive with the loose files that it is made of."""
    count = harness.scaled(COUNT)
    with harness.scratch("dvc") as folder:
        loose = pictures.lay(folder / "photos", pictures.small(count))
        archive = folder / "photos.tar"
        packing = harness.seconds(lambda: pack(loose, archive))
        racers = {"petpark": partial(race, archive, folder), "loose": partial(race, loose, folder)}
        seconds = harness.alternate(racers, harness.rounds(_ROUNDS))
    times = harness.ratio(seconds["loose"], seconds["petpark"])
    packed = harness.ratio(seconds["loose"], [each + packing for each in seconds["petpark"]])
    return result.made(
        "dvc_files",
        times,
        "times as fast",
        goal=f"≥ {_TIMES} times as fast as loose files",
        met=times.middle >= _TIMES,
        limit="-",
        peers={"loose files, packing counted too": packed},
        pictures=f"{count:,} drawn pictures of 64 x 64 pixels",
    )


def pack(loose: Path, archive: Path) -> None:
    """Make the archive as `petpark data add` does."""
    from petpark.build.data import packing

    packing.pack(str(loose), archive)


def race(photos: Path, folder: Path) -> float:
    """Seconds of `dvc add`, `dvc push`, and `dvc pull` into a clone, whose remote is a folder."""
    root = repository.empty(folder / "origin")
    clone = folder / "clone"
    target = root / "data" / photos.name
    target.parent.mkdir()
    (shutil.copytree if photos.is_dir() else shutil.copy)(photos, target)
    added = harness.seconds(lambda: [repository.dvc(root, *words) for words in (("add", "data"), ("push",))])
    repository.commit(root)
    repository.clone(root, clone)
    pulled = harness.seconds(lambda: repository.dvc(clone, "pull"))
    came = sum(path.is_file() for path in (clone / "data").rglob("*"))
    sent = sum(path.is_file() for path in (root / "data").rglob("*"))
    if came != sent:
        raise RuntimeError(f"{came} of {sent} files came back")
    for each in (root, clone):
        shutil.rmtree(each)
    return added + pulled
