"""One inference worker as the front sees it: a process, the line to it, and the photo that it has."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, cast

from petpark.config.serve import PREFIX
from petpark.deploy.serving import wire
from petpark.deploy.serving.processes import usage
from petpark.deploy.serving.wire import Kind
from petpark.errors import ModelError

_BUFFER: Final = 1 << 20  # of the socket pair: a photo in one write
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}  # onnxruntime reports to its makers

Message = tuple[Kind, bytes]


class Lost(Exception):  # noqa: N818 - no error: an answer
    """The worker ended, or was ended, while it had the photo; `slow` tells that it worked on it all the time."""

    def __init__(self, *, slow: bool = False) -> None:
        self.slow = slow


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # uvloop writes the arguments of a timer out
class Job:
    """A photo, and who waits for what is said of it."""

    kind: Kind
    payload: bytes
    answer: asyncio.Future[Message]


class Recruit:
    """A worker's process that has been started, and our end of the line to it.

    It decodes what strangers send, so it is told no setting: neither the token nor the log's address.

    Args:
        arguments: what it is started with, after its socket.

    Raises:
        OSError: the system has no room for another process.
    """

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self.connection, theirs = socket.socketpair()
        with theirs:
            for end in (self.connection, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            command = [sys.executable, "-m", "petpark.deploy.serving.worker", str(theirs.fileno()), *arguments]
            environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
            try:
                self.process = subprocess.Popen(  # noqa: S603 - our own program
                    command, pass_fds=[theirs.fileno()], env=environment | _ENVIRONMENT
                )
            except OSError:
                self.connection.close()
                raise
        self.connection.setblocking(False)  # noqa: FBT003 - as the library has it

    def end(self) -> None:
        """End it, before it has become a member."""
        self.connection.close()
        self.kill()

    def kill(self) -> None:
        """Kill the process, also one that is stopped or stuck, and have someone wait for it: a large one takes time."""
        self.process.kill()
        Thread(target=self.process.wait, daemon=True).start()


class Member(asyncio.Protocol):
    """Our side of the line to one worker.

    Args:
        number: of its place in the team.
        recruit: its process.
        seconds: how long it may take for one photo.
        free: called when it has answered.
        lost: called when it has ended.
    """

    def __init__(
        self,
        number: int,
        recruit: Recruit,
        seconds: float,
        free: Callable[["Member"], None],
        lost: Callable[["Member"], None],
    ) -> None:
        self.number, self.pid, self.served, self.ready = number, recruit.process.pid, 0, False
        self.greeting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        """What it says of the model, or a ModelError."""
        self._recruit, self._seconds, self._free, self._on_lost = recruit, seconds, free, lost
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._job: Job | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._slow = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line to the worker is open."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one by behaviour alone

    def take(self, job: Job) -> None:
        """Give the worker a photo."""
        self._job = job
        self._alarm = asyncio.get_running_loop().call_later(self._seconds / 2, self._half_time)
        if self._transport is not None:
            self._transport.writelines((wire.head(job.kind, job.payload), job.payload))

    def end(self) -> None:
        """End the worker."""
        self._recruit.kill()
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """A piece of what the worker says."""
        self._buffer += data
        if len(self._buffer) < wire.HEAD.size:
            return
        length, kind = wire.HEAD.unpack_from(self._buffer)
        if len(self._buffer) >= wire.HEAD.size + length:  # one question, one answer: nothing can follow it
            payload = bytes(self._buffer[wire.HEAD.size : wire.HEAD.size + length])
            self._buffer.clear()
            self._heard(Kind(kind), payload)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """The worker has ended, or is to end."""
        self._settle(error=Lost(slow=self._slow))
        self._recruit.kill()
        if not self.greeting.done():
            self.greeting.set_exception(ModelError("an inference worker ended before it had opened the model."))
        self._on_lost(self)

    def _heard(self, kind: Kind, payload: bytes) -> None:
        match kind:
            case Kind.HELLO | Kind.FAILED if self.greeting.done():
                return
            case Kind.HELLO:
                self.greeting.set_result(json.loads(payload))
            case Kind.FAILED:
                self.greeting.set_exception(ModelError(payload.decode()))
            case _:
                self.served += 1
                self._settle(answer=(kind, payload))
                self._free(self)

    def _settle(self, answer: Message | None = None, error: Exception | None = None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        job, self._job = self._job, None
        if job is None or job.answer.done():
            return
        if answer is not None:
            job.answer.set_result(answer)
        elif error is not None:
            job.answer.set_exception(error)

    def _half_time(self) -> None:
        until_now = usage(self.pid).cpu_seconds
        self._alarm = asyncio.get_running_loop().call_later(self._seconds / 2, self._too_slow, until_now)

    def _too_slow(self, until_half_time: float) -> None:
        used = usage(self.pid).cpu_seconds - until_half_time
        self._slow = used > self._seconds / 4  # else the machine is what is slow
        self._recruit.kill()
