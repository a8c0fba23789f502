"""One more batch of 1 %: what it costs beside taking in everything."""

import shutil
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import harness, pictures, repository, result

COUNT: Final = 20_000
_ROUNDS: Final = 3
_PART: Final = 100  # the batch that comes later is so many times smaller
_SHARE, _SECONDS = 0.02, 5.0
_SETTINGS: Final = {"ingest": {"short_side": 160, "quality": 85}}


class Took(NamedTuple):
    """Seconds from the photos in hand to their split."""

    all: float
    more: float

    @property
    def limit(self) -> float:
        """What the later batch may take."""
        return _SHARE * self.all + _SECONDS


def run() -> result.Result:
    """Take in a large batch, and then a small one."""
    count = harness.scaled(COUNT, least=_PART * 20)
    with harness.scratch("increment") as folder:
        photos = sorted(pictures.photos(count + count // _PART))
        archives = [
            pictures.pack(folder / "all.tar", iter(photos[:count])),
            pictures.pack(folder / "more.tar", iter(photos[count:])),
        ]
        del photos
        took = harness.alternate({"both": lambda: race(folder / "copy", archives)}, harness.rounds(_ROUNDS))["both"]
    return judge(took, count)


def judge(took: list[Took], count: int) -> result.Result:
    """Make a row of what each round took."""
    limit = harness.spread([each.limit for each in took])
    seconds = harness.spread([each.more for each in took])
    return result.made(
        "increment",
        seconds,
        "s",
        goal=f"≤ {_SHARE:.0%} of the full ingest + {_SECONDS:g} s",
        met=all(each.more <= each.limit for each in took),
        limit=f"{harness.describe(limit.middle)} s",
        peers={"all photos": harness.ratio([each.all for each in took], [each.more for each in took])},
        pictures=f"{count // _PART:,} after {count:,} {pictures.source()}",
    )


def race(root: Path, archives: list[Path]) -> Took:
    """Time `petpark data add` and `dvc repro split` in a fresh copy of this repository, for each of two batches."""
    theirs = repository.batches(repository.copy(root))
    seconds = []
    for number, archive in enumerate(archives):
        adding = harness.seconds(partial(repository.petpark, root, "data", "add", str(archive)))
        if number == 0:
            repository.petpark(root, "data", "drop", *theirs)
            repository.settle(root, _SETTINGS)
        seconds.append(adding + harness.seconds(partial(repository.dvc, root, "repro", "split")))
    shutil.rmtree(root)
    return Took(*seconds)
