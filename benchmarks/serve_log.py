"""What prediction log and metrics cost: measured one by one, since together they drown in the noise of the model."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from benchmarks import harness, result
from benchmarks.serving import inside, load, material, servers

_COUNT: Final = 1_000
_ROUNDS: Final = 7
_CONNECTIONS: Final = 4
_MILLISECONDS: Final = 0.15
_FLUSHED: Final = 1.2  # seconds until all is written: the log writes twice a second


def run() -> result.Result:
    """Have services with and without a log answer by turns, and do the rest of the work in this process."""
    cores, count = servers.cores(), harness.scaled(_COUNT, least=50)
    with harness.scratch("serve-log") as folder:
        found = material.lay(folder)
        log = f"sqlite:///{folder / 'log.db'}"
        with (
            servers.petpark(folder, found.model, cores.server, log=log) as logging,
            servers.petpark(folder, found.model, cores.server) as silent,
        ):
            racers: dict[str, Callable[[], Any]] = {
                "with": partial(front, logging, cores.client, found.raw, count),
                "without": partial(front, silent, cores.client, found.raw, count),
                "extras": partial(harness.apart, inside.extras, cores.server, found.model, found.photo, count),
            }
            took = harness.alternate(racers, harness.rounds(_ROUNDS))
        return judge(took, f"{material.describe(found)}; {cores}; {_CONNECTIONS} connections")


def front(server: servers.Server, client: Sequence[int], request: str, count: int) -> float:
    """Milliseconds of CPU time for a request in the process that has the log, until all of them are written.

    Raises:
        RuntimeError: a request failed.
    """
    harness.apart(load.closed, client, server.port, request, _CONNECTIONS, max(_CONNECTIONS, count // 10))
    time.sleep(_FLUSHED)
    begin = server.own_cpu()
    answers = harness.apart(load.closed, client, server.port, request, _CONNECTIONS, count)["answers"]
    time.sleep(_FLUSHED)
    if {status for _, _, status, _ in answers} != {200}:
        raise RuntimeError(f"a server of the row does not answer: {answers[-1]}")
    return 1000 * (server.own_cpu() - begin) / count


def judge(took: Mapping[str, Sequence[Any]], pictures: str) -> result.Result:
    """Make a row of milliseconds: the front's with the log less without it, and the extras."""
    log = [one - other for one, other in zip(took["with"], took["without"], strict=True)]
    parts = {name: [each[name] for each in took["extras"]] for name in ("looks", "metrics")}
    whole = [sum(each) for each in zip(log, *parts.values(), strict=True)]
    figure = harness.spread(whole)
    shown = {"log": log, "SHA-256 and image properties": parts["looks"], "metrics": parts["metrics"]}
    each = ", ".join(f"{name} {harness.describe(harness.spread(values).middle)}" for name, values in shown.items())
    return result.made(
        "serve_log",
        figure,
        "ms of CPU time for a request",
        goal=f"≤ {_MILLISECONDS:g}",
        met=figure.middle <= _MILLISECONDS,
        limit=f"{_MILLISECONDS:g} ms",
        pictures=f"{pictures}; ms: {each}",
    )
