"""Twice as many requests as can be answered, for a minute: what is accepted stays quick, the rest is refused."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import mean
from threading import Event, Thread
from typing import Final, NamedTuple

from benchmarks import harness, result
from benchmarks.serve_latency import P95, capacities, watch
from benchmarks.serving import load, servers

_SECONDS: Final = 60
_NORMAL: Final = 20  # seconds of half load before
_AFTER: Final = 5  # seconds of half load after it
_ROUNDS: Final = 2
_FACTOR: Final = 5.0
_GROWTH: Final = 1.05  # of memory: less than the allocator may keep by chance
_RECOVERY: Final = 2.0  # seconds
_SHARE: Final = 6  # the first and the last such part of the time tell whether memory grows
_CHUNK: Final = 25  # answers in a row that tell whether all is normal again
_SLACK: Final = 1.5  # so many times the usual 95th percentile is normal
_PAUSE: Final = 0.25  # seconds between two looks at the memory

Answers = Sequence[tuple[float, float, int, str]]  # as `load.Found` has them


class Took(NamedTuple):
    """What one round found; milliseconds, if nothing else is said."""

    normal: float
    """95th percentile at half load."""
    accepted: float
    """95th percentile of those that were answered 200."""
    refused: float
    """95th percentile of those that were answered 503."""
    share: float
    """Of the requests that were refused."""
    odd: int
    """Requests with another answer, or none."""
    growth: float
    """Memory at the end of the overload, in parts of that at its begin."""
    recovery: float
    """Seconds after its end until answers were normal."""


def run() -> result.Result:
    """Overload the service for a minute, and go on at half load."""
    return judge(*watch(look, _ROUNDS))


def look(server: servers.Server, client: Sequence[int], request: str) -> Took:
    """Half load, twice the capacity, and half load again."""
    _, capacity = capacities(server, client, request)
    usual = (capacity / 2, harness.scaled(_NORMAL, least=1))
    seconds = harness.scaled(_SECONDS, least=2)
    before = harness.apart(load.paced, client, server.port, request, [usual])
    with _watched(server) as memory:
        phases = [(2 * capacity, seconds), (capacity / 2, harness.scaled(_AFTER, least=3))]
        found = harness.apart(load.paced, client, server.port, request, phases)
    part = max(1, round(seconds / _SHARE / _PAUSE))
    during = memory[: round(seconds / _PAUSE)]
    normal = load.percentile([wait for _, wait, _, _ in before["answers"]], P95)
    return weigh(found["answers"], seconds, normal, mean(during[-part:]) / mean(during[:part]))


def weigh(answers: Answers, seconds: float, normal: float, growth: float) -> Took:
    """Take apart what was answered during an overload of so many seconds and after it."""
    during = [each for each in answers if each[0] < seconds]
    after = [each for each in answers if each[0] >= seconds]
    waits = {status: [1000 * wait for _, wait, kind, _ in during if kind == status] for status in (200, 503)}
    odd = sum(status not in waits for _, _, status, _ in answers)
    refused = load.percentile(waits[503], P95) if waits[503] else 0.0
    return Took(
        1000 * normal,
        load.percentile(waits[200], P95),
        refused,
        len(waits[503]) / len(during),
        odd,
        growth,
        recovery(after, seconds, _SLACK * normal),
    )


def recovery(after: Answers, end: float, usual: float) -> float:
    """Seconds after the end of an overload until so many answers in a row are 200, and 95 in 100 of them in time."""
    for first in range(len(after) - _CHUNK + 1):
        chunk = after[first : first + _CHUNK]
        if (
            all(status == 200 for _, _, status, _ in chunk)
            and load.percentile([each[1] for each in chunk], P95) <= usual
        ):
            return chunk[0][0] - end
    return float("inf")


@contextmanager
def _watched(server: servers.Server) -> Iterator[list[int]]:
    """Look at a server's memory again and again while the block runs."""
    found, over = [server.resident()], Event()

    def look_again() -> None:
        while not over.wait(_PAUSE):
            found.append(server.resident())

    thread = Thread(target=look_again)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def judge(took: Sequence[Took], pictures: str) -> result.Result:
    """Make a row of what the rounds found; apart from the figure the worst round counts."""
    figure = harness.spread([each.accepted / each.normal for each in took])
    worst = Took(*map(max, zip(*took, strict=True)))
    refused = f"503 within {harness.describe(worst.refused)} ms for {100 * worst.share:.0f} % of the requests"
    memory = f"memory {100 * (worst.growth - 1):+.1f} %"
    return result.made(
        "serve_overload",
        figure,
        "times the 95th percentile of half load",
        goal=f"≤ {_FACTOR:g}, 503 before an accepted one is answered, memory flat, normal after {_RECOVERY:g} s",
        met=figure.middle <= _FACTOR
        and worst.refused < min(each.accepted for each in took)
        and not worst.odd
        and worst.growth <= _GROWTH
        and worst.recovery <= _RECOVERY,
        limit=f"half load: {harness.describe(worst.normal)} ms",
        pictures=f"{pictures}; 95th percentiles: {refused}; {memory}; normal after {worst.recovery:.1f} s; "
        f"{worst.odd} answers of another kind",
    )
