"""How evenly two workers share what comes over keep-alive connections."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import harness, result
from benchmarks.serving import load, material, servers

_COUNT: Final = 1_000  # requests of one measurement
_ROUNDS: Final = 5
WORKERS: Final = 2
CONNECTIONS: Final = (4, 32)
_SHARE: Final = 0.60
_QUEUE: Final = 64  # places for photos that wait: 32 clients that do not wait for each other fill the usual 16


def run() -> result.Result:
    """Count what each of two workers answers: petpark's, and uvicorn's on one listening socket."""
    cores, count = servers.cores(WORKERS), harness.scaled(_COUNT, least=64)
    with harness.scratch("serve-even") as folder, ExitStack() as stack:
        found = material.lay(folder)
        ours = stack.enter_context(
            servers.petpark(folder, found.model, cores.server, workers=str(WORKERS), queue=str(_QUEUE))
        )
        theirs = stack.enter_context(servers.by_hand(folder, found.model, cores.server, WORKERS))
        racers = {
            "petpark": partial(_shares, ours, cores.client, found.raw, count),
            "uvicorn": partial(_shares, theirs, cores.client, found.raw, count),
        }
        took = harness.alternate(racers, harness.rounds(_ROUNDS))
        return judge(took, f"{material.describe(found)}; {cores}; PETPARK_QUEUE={_QUEUE}, lest any request be refused")


def _shares(server: servers.Server, client: Sequence[int], request: str, count: int) -> list[float]:
    return [share(server, client, request, connections, count) for connections in CONNECTIONS]


def share(server: servers.Server, client: Sequence[int], request: str, connections: int, count: int) -> float:
    """The greatest share that one worker has of the answers: as petpark's metrics or each answer's head tell.

    Raises:
        RuntimeError: a request failed.
    """
    begin = _photos(server)
    answers = harness.apart(load.closed, client, server.port, request, connections, count)["answers"]
    if {status for _, _, status, _ in answers} != {200}:
        raise RuntimeError(f"a server of the row does not answer: {answers[-1]}")
    counted = _photos(server) - begin or Counter(worker for _, _, _, worker in answers)
    if counted.total() != count:
        raise RuntimeError(f"{count} requests were answered, and the workers tell of {counted.total()}")
    return max(counted.values()) / count


def _photos(server: servers.Server) -> Counter[str]:
    """Photos by the worker that has answered them; nothing where the server has no such metrics."""
    try:
        text = server.text("/metrics")
    except ConnectionError:
        return Counter()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["petpark_worker_photos"].samples
    return Counter({each.labels["worker"]: int(each.value) for each in samples})


def judge(took: Mapping[str, Sequence[Sequence[float]]], pictures: str) -> result.Result:
    """Make a row of shares by number of connections; the more uneven one counts, round by round."""
    ours, theirs = (harness.spread([max(each) for each in took[name]]) for name in ("petpark", "uvicorn"))
    peer = f"{harness.describe(theirs.middle)} ({harness.describe(theirs.low)} to {harness.describe(theirs.high)})"
    return result.made(
        "serve_even",
        ours,
        "of the requests at one worker",
        goal=f"≤ {_SHARE:g}",
        met=ours.high <= _SHARE,
        limit=f"{1 / WORKERS:g}; two uvicorn workers on one socket: {peer}",
        peers={},
        pictures=pictures,
    )
