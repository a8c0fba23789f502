"""The client that measures: whole answers, keep-alive, set times, and pauses that fall on all whose time they took."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from benchmarks.serving import load

from benchmarks import harness

REQUEST = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000
OK = b"HTTP/1.1 200 OK\r\nworker: w7\r\nContent-Length: 5\r\n\r\nhello"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\nConnection: close\r\n\r\nno"
CORES = sorted(os.sched_getaffinity(0))


class Server:
    """Answers whole requests as it is told to; `seen` are the numbers of requests on each connection."""

    def __init__(self, answer: Callable[[int], tuple[float, list[bytes]]]) -> None:
        self.seen: list[int] = []
        self.port = 0
        self._answer = answer
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.seen)
        self.seen.append(0)
        try:
            while await reader.readexactly(len(REQUEST)):
                self.seen[place] += 1
                self._count += 1
                pause, parts = self._answer(self._count)
                time.sleep(pause)  # noqa: ASYNC251 - as a server that is stopped: nobody is answered
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.001)
                if not parts or BUSY in parts:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._over = asyncio.Event()
        await self._over.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        thread.start()
        self._ready.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join()
            self._loop.close()


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    path = tmp_path / "request.http"
    path.write_bytes(REQUEST)
    return str(path)


def close(port: int, request: str, connections: int, count: int) -> load.Found:
    return harness.apart(load.closed, CORES, port, request, connections, count)


def pace(port: int, request: str, *phases: tuple[float, float], connections: int = 8) -> load.Found:
    return harness.apart(load.paced, CORES, port, request, phases, connections=connections)


def test_connections_stay_open_and_share_the_requests(request_file: str) -> None:
    with Server(lambda _: (0, [OK])).running() as server:
        found = close(server.port, request_file, 4, 30)
    assert len(found["answers"]) == 30
    assert sorted(server.seen) == [7, 7, 8, 8]
    assert {(status, worker) for _, _, status, worker in found["answers"]} == {(200, "w7")}
    assert all(0 < seconds < found["seconds"] for _, seconds, _, _ in found["answers"])


def test_an_answer_in_pieces_counts_when_it_is_whole(request_file: str) -> None:
    with Server(lambda _: (0, [OK[:20], OK[20:-3], OK[-3:]])).running() as server:
        found = close(server.port, request_file, 1, 5)
    assert len(found["answers"]) == 5
    assert min(seconds for _, seconds, _, _ in found["answers"]) > 0.002


def test_a_connection_that_is_closed_is_opened_again(request_file: str) -> None:
    with Server(lambda number: (0, [BUSY if number % 3 == 0 else OK])).running() as server:
        found = close(server.port, request_file, 1, 9)
    assert [status for _, _, status, _ in found["answers"]] == [200, 200, 503] * 3
    assert len(server.seen) == 3


def test_a_lost_request_is_told(request_file: str) -> None:
    with Server(lambda number: (0, [] if number == 2 else [OK])).running() as server:
        found = close(server.port, request_file, 1, 3)
    assert [status for _, _, status, _ in found["answers"]] == [200, 0, 200]


def test_requests_are_sent_when_they_are_due(request_file: str) -> None:
    phase = (100.0, 1.0)
    with Server(lambda _: (0, [OK])).running() as server:
        found = pace(server.port, request_file, phase)
    assert [due for due, _, _, _ in found["answers"]] == pytest.approx(load.arrivals([phase]))
    assert 0.8 < found["seconds"] < 3


def test_a_pause_of_the_server_falls_on_all_whose_time_it_took(request_file: str) -> None:
    """One request out of eighty makes the server stop; who is due meanwhile has waited since then."""
    with Server(lambda number: (0.4 if number == 20 else 0, [OK])).running() as server:
        found = pace(server.port, request_file, (80.0, 1.0), connections=2)
    late = [seconds for _, seconds, _, _ in found["answers"] if seconds > 0.05]
    assert len(late) > 15, "a closed loop would have seen two slow answers"
    assert max(late) > 0.35


def test_arrivals_are_random_and_the_same_each_time() -> None:
    phases = [(200.0, 10.0), (50.0, 10.0)]
    dues = load.arrivals(phases)
    assert dues == load.arrivals(phases) == sorted(dues)
    first = [due for due in dues if due < 10]
    assert len(first) == pytest.approx(2000, rel=0.1)
    assert len(dues) - len(first) == pytest.approx(500, rel=0.15)
    gaps = [after - before for before, after in pairwise(first)]
    short = sum(gap < 1 / 200 for gap in gaps) / len(gaps)
    assert short == pytest.approx(0.632, abs=0.05), "the gaps of a Poisson process: 1 - 1/e are below the mean"


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (1.0, 100), (0.0, 1)])
def test_percentiles(share: float, value: float) -> None:
    assert load.percentile(reversed(range(1, 101)), share) == value
