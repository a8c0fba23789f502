"""Size, start and memory of the container, beside those of BentoML's own recipe with the same model."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from benchmarks import harness, result
from benchmarks.serving import containers, load, material, servers

_ROUNDS: Final = 5
_COUNT: Final = 200  # requests before the memory is looked at
_CONNECTIONS: Final = 4
_SIZE: Final = 0.5
_SECONDS, _SHARE = 5.0, 0.6
_MEGABYTES: Final = 300


class Took(NamedTuple):
    """What one start took: seconds until ready, and the most bytes (PSS) that any process held after some photos."""

    seconds: float
    pss: float


def run() -> result.Result:
    """Build both containers, and start them by turns."""
    with harness.scratch("serve-container") as folder:
        found = material.lay(folder)
        sizes = {"ours": containers.ours(folder, found.model), "default": containers.default(folder, found.model)}
        try:
            racers = {
                "ours": partial(start, containers.OURS, found.raw),
                "default": partial(start, containers.DEFAULT, found.form),
            }
            took = harness.alternate(racers, harness.rounds(_ROUNDS))
        finally:
            containers.remove()
        return judge(sizes, took, material.describe(found))


def start(image: str, request: str) -> Took:
    """Start a container, send it some photos, and look at its memory."""
    with containers.running(image) as (name, port, seconds):
        everywhere = servers.cores().client
        harness.apart(load.closed, everywhere, port, request, _CONNECTIONS, harness.scaled(_COUNT, least=20))
        return Took(seconds, max(containers.proportional(name)))


def judge(sizes: Mapping[str, int], took: Mapping[str, Sequence[Took]], pictures: str) -> result.Result:
    """Make a row of bytes, and of what each start took."""
    share = sizes["ours"] / sizes["default"]
    seconds = {name: harness.spread([each.seconds for each in every]) for name, every in took.items()}
    quicker = harness.ratio([each.seconds for each in took["default"]], [each.seconds for each in took["ours"]])
    most = max(each.pss for each in took["ours"]) / 1e6
    peer = f"{sizes['default'] / 1e6:.0f} MB, ready after {harness.describe(seconds['default'].middle)} s"
    return result.made(
        "serve_container",
        harness.Spread(share, share, share),
        "of the default container's size",
        goal=f"≤ {_SIZE:g}; ready ≤ {_SECONDS:g} s and ≤ {_SHARE:g} of the default; ≤ {_MEGABYTES} MB a process",
        met=share <= _SIZE
        and seconds["ours"].middle <= _SECONDS
        and 1 / quicker.middle <= _SHARE
        and most <= _MEGABYTES,
        limit=f"the default: {peer}",
        peers={"the default, start to ready": quicker},
        pictures=f"{pictures}; {sizes['ours'] / 1e6:.0f} MB, ready after {harness.describe(seconds['ours'].middle)} s, "
        f"at most {most:.0f} MB (PSS) a process",
    )
