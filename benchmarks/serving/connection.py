"""One keep-alive connection of HTTP/1.1 that sends what it is given, and understands just enough of the answer."""

import asyncio
import re
import time
from typing import Final, NamedTuple, cast

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_CLOSE: Final = re.compile(rb"(?i)\r\nconnection: *close")
_WORKER: Final = re.compile(rb"(?i)\r\nworker: *(\w+)")  # a contender may name the process that answers


class Answer(NamedTuple):
    """When an answer was there, its status (0: the connection was lost), and the worker that it names."""

    at: float
    status: int
    worker: str


class Connection(asyncio.Protocol):
    """Sends one request at a time; `open` tells whether it will take another one."""

    def __init__(self) -> None:
        self.open = True
        self._buffer = bytearray()
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one by behaviour alone

    async def ask(self, request: bytes) -> Answer:
        """Send the bytes of a request, and wait for the answer."""
        self._buffer.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END)
        length = _LENGTH.search(self._buffer, 0, max(0, end))
        if length is not None and len(self._buffer) >= end + len(_END) + int(length[1]):
            head = bytes(self._buffer[:end])
            worker = _WORKER.search(head)
            self.open = not _CLOSE.search(head)
            self._settle(Answer(time.perf_counter(), int(head[9:12]), worker[1].decode() if worker else ""))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self.open = False
        self._settle(Answer(time.perf_counter(), 0, ""))

    def _settle(self, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
