"""A client that measures: one prebuilt request over keep-alive connections, again and again or at set times.

At set times a latency counts from when its request was due, not from when it could be sent: a pause of the server falls
on all whose time it took (G. Tene, How NOT to Measure Latency, 2013, calls the opposite coordinated omission).
"""

import asyncio
import gc
import math
import os
import random
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypedDict

import uvloop

from benchmarks.serving.connection import Connection

_AWAKE: Final = 0.002  # seconds: timers are a millisecond late, so the last part is waited for awake


class Found(TypedDict):
    """What came back."""

    seconds: float
    """From the first request to the last answer."""
    answers: list[tuple[float, float, int, str]]
    """When each was due, how many seconds later its answer was there, its status (0: none came), and its worker."""


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that so large a share of all values does not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def closed(cores: Sequence[int], port: int, request: str, connections: int, count: int) -> Found:
    """Send a request on every connection, and the next one as soon as it is answered; `count` of them in all.

    Args:
        cores: where this process is to run.
        port: of the server, on this machine.
        request: path of a file with the bytes to send.
        connections: open at a time.
        count: of requests.
    """
    return _run(cores, _Client(port, Path(request), connections).closed(count))


def paced(
    cores: Sequence[int], port: int, request: str, phases: Sequence[tuple[float, float]], connections: int = 64
) -> Found:
    """Send requests at times that no answer moves: at random, as many clients apart would (a Poisson process).

    Args:
        cores: where this process is to run.
        port: of the server, on this machine.
        request: path of a file with the bytes to send.
        phases: requests per second, and for how many seconds, one after the other.
        connections: open at a time; who finds none free waits, and the wait counts.
    """
    return _run(cores, _Client(port, Path(request), connections).paced(arrivals(phases)))


def arrivals(phases: Sequence[tuple[float, float]]) -> list[float]:
    """Draw the times of a Poisson process, in seconds; the same ones each time."""
    dice, begin, dues = random.Random(0), 0.0, list[float]()
    for rate, seconds in phases:
        due = begin + dice.expovariate(rate)
        while due < begin + seconds:
            dues.append(due)
            due += dice.expovariate(rate)
        begin += seconds
    return dues


def _run(cores: Sequence[int], work: Coroutine[Any, Any, Found]) -> Found:
    os.sched_setaffinity(0, cores)
    gc.disable()  # a pause of this process is none of the server's
    return uvloop.run(work)


class _Client:
    """Sends a request over some connections, and notes what comes back."""

    def __init__(self, port: int, request: Path, connections: int) -> None:
        self._port, self._request, self._count = port, request.read_bytes(), connections
        self._free: deque[Connection] = deque()
        self._places = asyncio.Semaphore(connections)
        self._begin = 0.0
        self._answers: list[tuple[float, float, int, str]] = []

    async def closed(self, count: int) -> Found:
        async def some(share: int) -> None:
            for _ in range(share):
                await self._ask(time.perf_counter())

        await self._open()
        await asyncio.gather(*(some(len(range(first, count, self._count))) for first in range(self._count)))
        return self._found()

    async def paced(self, dues: Sequence[float]) -> Found:
        await self._open()
        asked = []
        for due in dues:
            await _until(self._begin + due)
            asked.append(asyncio.create_task(self._ask(self._begin + due)))
        await asyncio.gather(*asked)
        return self._found()

    async def _open(self) -> None:
        self._free.extend(await asyncio.gather(*(self._connected() for _ in range(self._count))))
        self._begin = time.perf_counter()

    async def _connected(self) -> Connection:
        return (await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port))[1]

    async def _ask(self, due: float) -> None:
        async with self._places:  # in the order of coming
            connection = self._free.popleft()
            if not connection.open:
                connection = await self._connected()
            answer = await connection.ask(self._request)
            self._answers.append((due - self._begin, answer.at - due, answer.status, answer.worker))
            self._free.append(connection)

    def _found(self) -> Found:
        return Found(seconds=time.perf_counter() - self._begin, answers=sorted(self._answers))


async def _until(moment: float) -> None:
    await asyncio.sleep(moment - time.perf_counter() - _AWAKE)
    while time.perf_counter() < moment:  # noqa: ASYNC110 - no event would come in time
        await asyncio.sleep(0)
