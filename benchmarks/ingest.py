"""Ingest of 500 x 375 photos: decode, shrink to a short side of 160 pixels, encode at quality 85, write Parquet."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import harness, peers, pictures, result
from petpark import files, layout
from petpark.build.ingest import ingest
from petpark.config.ingest import IngestSettings

COUNT: Final = 20_000
_ROUNDS: Final = 5
_BATCH: Final = "photos"
_SHARE, _TIMES = 0.8, 3.0
_LIMIT, _SCRIPT, _MAP = "limit", "PIL script", "Hugging Face datasets"


def run() -> result.Result:
    """Race petpark's ingest with the codec alone, with a good script, and with Hugging Face datasets."""
    count = harness.scaled(COUNT)
    with harness.scratch("ingest") as folder:
        lay(folder, count)
        racers = {name: partial(harness.apart, racer, str(folder)) for name, racer in contenders().items()}
        return judge(harness.alternate(racers, harness.rounds(_ROUNDS)), count)


def contenders() -> dict[str, Callable[[str], float]]:
    """Those who race, by name; without `datasets` (of the group `bench`) its two stay away."""
    found: dict[str, Callable[[str], float]] = {
        "petpark": petpark,
        _LIMIT: peers.codec,
        "the limit, resizing as petpark does": peers.codec_quick,
        _SCRIPT: peers.script,
    }
    if find_spec("datasets"):
        found |= {_MAP: peers.hugging_face, f"{_MAP}, the script inside": peers.hugging_face_with_script}
    return found


def judge(seconds: Mapping[str, Sequence[float]], count: int) -> result.Result:
    """Make a row of the seconds that each contender took in each round."""
    ours = seconds["petpark"]
    share = harness.ratio(seconds[_LIMIT], ours)
    times = {name: harness.ratio(each, ours) for name, each in seconds.items() if name not in ("petpark", _LIMIT)}
    ahead = times[_SCRIPT].middle > 1 and _MAP in times and times[_MAP].middle >= _TIMES
    rate = count / harness.spread(seconds[_LIMIT]).middle
    return result.made(
        "ingest",
        share,
        "of the limit",
        goal=f"≥ {_SHARE:g}, ≥ {_TIMES:g} times {_MAP}, ahead of the script",
        met=share.middle >= _SHARE and ahead,
        limit=f"the codec alone: {harness.describe(rate)} photos/s",
        peers=times,
        pictures=f"{count:,} {pictures.source()}",
    )


def lay(folder: Path, count: int) -> None:
    """Lay the same photos as a batch of petpark's and as loose files; all of them are in the page cache then."""
    loose = pictures.lay(folder / peers.LOOSE, pictures.photos(count))
    names = sorted(path.relative_to(loose).as_posix() for path in loose.rglob("*.jpg"))
    pictures.pack(folder / layout.archive(_BATCH), ((name, (loose / name).read_bytes()) for name in names))


def petpark(folder: str) -> float:
    """Seconds of the stage `ingest`, which also checks, hashes and measures every photo."""
    settings = IngestSettings(short_side=peers.SIDE, quality=peers.QUALITY)
    with chdir(folder):
        digest = files.sha256(layout.archive(_BATCH))
        return harness.seconds(lambda: ingest(_BATCH, digest, settings))
