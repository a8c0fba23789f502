"""Feeding the trainer from the second epoch on: what the loader costs beside the step."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from benchmarks import feeds, harness, pictures, result

COUNT: Final = 1_280
_ROUNDS: Final = 5
_SHARE, _RATE = 0.05, 0.95
_RESIDENT: Final = "resident batch"

Took = Mapping[str, Any]  # what `feeds.train` returns


def run() -> result.Result:
    """Train with petpark's cache, with one batch that never changes, and with what others load photos by."""
    count = harness.scaled(COUNT, least=feeds.BATCH * 4)
    with harness.scratch("feeding") as folder:
        harness.apart(feeds.prepare, str(folder), count)
        racers = {
            name: partial(harness.apart, feeds.train, str(folder), feed, workers)
            for name, (feed, workers) in contenders().items()
        }
        return judge(harness.alternate(racers, harness.rounds(_ROUNDS)), count)


def contenders() -> dict[str, tuple[str, int]]:
    """Name a feed of `feeds` and its worker processes for each contender; without `datasets` two stay away."""
    cores = harness.cores()
    found = {
        "petpark": ("cache", 0),
        _RESIDENT: ("resident", 0),
        "ImageFolder": ("image_folder", 0),
        f"ImageFolder, {cores} workers": ("image_folder", cores),
    }
    if find_spec("datasets"):
        found |= {
            "Hugging Face Parquet": ("hugging_face", 0),
            f"Hugging Face Parquet, {cores} workers": ("hugging_face", cores),
        }
    return found


def judge(took: Mapping[str, Sequence[Took]], count: int) -> result.Result:
    """Make a row of what each training took."""
    rates = {name: [each["rate"] for each in every] for name, every in took.items()}
    ours = took["petpark"]
    share = harness.spread([each["loading"] for each in ours])
    times = {name: harness.ratio(rates["petpark"], each) for name, each in rates.items() if name != "petpark"}
    device = str(ours[0]["device"])
    on_gpu = device != "cpu"
    return result.made(
        "feeding",
        share,
        "of the step's CPU time",
        goal=f"≤ {_SHARE:g}" + (f", ≥ {_RATE:g} of the resident batch's rate" if on_gpu else ""),
        met=share.middle <= _SHARE and (not on_gpu or times[_RESIDENT].middle >= _RATE),
        limit=f"{_RESIDENT}: {harness.describe(harness.spread(rates[_RESIDENT]).middle)} photos/s on {device}",
        peers=times,
        pictures=f"{count:,} {pictures.source()}",
    )
