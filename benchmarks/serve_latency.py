"""How long answers take at half load, beside one prediction alone."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from benchmarks import harness, result
from benchmarks.serving import load, material, servers

_SECONDS: Final = 30
_ALONE: Final = 300  # requests
_ROUNDS: Final = 3
_CONNECTIONS: Final = 4  # enough to keep one worker busy
_FACTOR: Final = 3.0
_PAUSE: Final = 100.0  # milliseconds
P95: Final = 0.95

T = TypeVar("T")


class Took(NamedTuple):
    """What one round found; milliseconds, but for the capacity, which is in requests per second."""

    alone: float
    capacity: float
    p95: float
    longest: float
    limit: float
    """The 95th percentile of an ideal queue: the same arrivals, and each takes the worker exactly as long."""
    failed: int
    """Requests that were not answered 200."""


def run() -> result.Result:
    """Send photos at random times, half as many as the server can answer."""
    return judge(*watch(look, _ROUNDS))


def watch(look: Callable[[servers.Server, Sequence[int], str], T], rounds: int) -> tuple[list[T], str]:
    """Look at one service that keeps its log, so many rounds; return what was seen, and where and with which photo."""
    cores = servers.cores()
    with harness.scratch("serve") as folder:
        found = material.lay(folder)
        log = f"sqlite:///{folder / 'log.db'}"
        with servers.petpark(folder, found.model, cores.server, log=log) as server:
            took = [look(server, cores.client, found.raw) for _ in range(harness.rounds(rounds))]
        return took, f"{material.describe(found)}; {cores}; with the prediction log"


def look(server: servers.Server, client: Sequence[int], request: str) -> Took:
    """Measure one prediction alone, the capacity, and then half load."""
    alone, capacity = capacities(server, client, request)
    phase = (capacity / 2, harness.scaled(_SECONDS, least=1))
    answers = harness.apart(load.paced, client, server.port, request, [phase])["answers"]
    waits = [1000 * seconds for _, seconds, _, _ in answers]
    ideal = [1000 * each for each in queue(load.arrivals([phase]), 1 / capacity)]
    failed = sum(status != 200 for _, _, status, _ in answers)
    return Took(alone, capacity, load.percentile(waits, P95), max(waits), load.percentile(ideal, P95), failed)


def capacities(server: servers.Server, client: Sequence[int], request: str) -> tuple[float, float]:
    """Milliseconds of one prediction alone (the median), and requests per second that can be answered."""
    count = harness.scaled(_ALONE, least=20)
    one = harness.apart(load.closed, client, server.port, request, 1, count)
    many = harness.apart(load.closed, client, server.port, request, _CONNECTIONS, 2 * count)
    return 1000 * load.percentile([seconds for _, seconds, _, _ in one["answers"]], 0.5), 2 * count / many["seconds"]


def queue(arrivals: Sequence[float], service: float) -> list[float]:
    """How long each stays in a queue with one server that takes the same time for all (D. V. Lindley, 1952)."""
    free, stays = 0.0, []
    for arrival in arrivals:
        free = max(free, arrival) + service
        stays.append(free - arrival)
    return stays


def judge(took: Sequence[Took], pictures: str) -> result.Result:
    """Make a row of what the rounds found."""
    figure = harness.spread([each.p95 / each.alone for each in took])
    limit = harness.spread([each.limit / each.alone for each in took])
    longest, failed = max(each.longest for each in took), sum(each.failed for each in took)
    alone, capacity = (harness.spread([each[i] for each in took]).middle for i in (0, 1))
    return result.made(
        "serve_latency",
        figure,
        "times one prediction alone (95th percentile)",
        goal=f"≤ {_FACTOR:g}, no pause over {_PAUSE:g} ms, none refused",
        met=figure.middle <= _FACTOR and longest <= _PAUSE and not failed,
        limit=f"an ideal queue of the same arrivals: {harness.describe(limit.middle)}",
        pictures=f"{pictures}; alone {harness.describe(alone)} ms, capacity {harness.describe(capacity)} a second, "
        f"longest {harness.describe(longest)} ms, {failed} refused",
    )
