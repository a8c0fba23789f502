"""The team of inference workers: processes of their own, one photo each at a time, replaced when they are lost."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from petpark.deploy.serving import wire
from petpark.deploy.serving.processes import usage
from petpark.deploy.serving.wire import Kind
from petpark.errors import ModelError

_BUFFER: Final = 1 << 20  # of the socket pair: a photo in one write
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # before a worker that ended without a word is started again
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}  # onnxruntime reports to its makers
_PATIENCE: Final = 60.0  # for a worker to open its model

Message = tuple[Kind, bytes]


class Busy(Exception):  # noqa: N818 - no error: the answer to one photo too many
    """So many photos wait that another one would wait too long."""


class Lost(Exception):  # noqa: N818 - likewise
    """The worker ended, or was ended, while it had the photo; `slow` tells that it worked on it all the time."""

    def __init__(self, *, slow: bool = False) -> None:
        self.slow = slow


@dataclass(frozen=True, slots=True)
class _Job:
    kind: Kind
    payload: bytes
    answer: asyncio.Future[Message]


class Team:
    """Hands photos to the worker that has been idle for longest.

    Args:
        arguments: what a worker is started with, after its socket.
        size: how many workers.
        queue: photos that may wait.
        seconds: how long a worker may take for one photo.
    """

    def __init__(self, arguments: tuple[str, ...], size: int, queue: int, seconds: float) -> None:
        self.size, self.queue, self.seconds = size, queue, seconds
        self.replaced = 0
        self.hello: dict[str, Any] = {}
        self._arguments = arguments
        self._members: dict[int, _Member] = {}
        self._before: Counter[int] = Counter()
        self._idle: deque[_Member] = deque()
        self._waiting: deque[_Job] = deque()
        self._recruits = [_Recruit(arguments) for _ in range(size)]  # they start while the service is still imported
        self._closing = False

    @property
    def waiting(self) -> int:
        """Photos that wait."""
        return len(self._waiting)

    @property
    def ready(self) -> int:
        """Workers that could take a photo now or after the one that they have."""
        return sum(member.ready for member in self._members.values())

    @property
    def workers(self) -> list[tuple[int, int, int]]:
        """Number and process of each worker, and how many photos it and those whose place it took have answered."""
        return [(each.number, each.pid, self._before[each.number] + each.served) for each in self._members.values()]

    async def start(self) -> None:
        """Wait until every worker has opened the model.

        Raises:
            ModelError: a worker could not, and why.
        """
        loop = asyncio.get_running_loop()
        greetings = [loop.create_future() for _ in self._recruits]
        for number, recruit in enumerate(self._recruits):
            await self._join(number, recruit, greetings[number])
        try:
            async with asyncio.timeout(_PATIENCE):
                self.hello = (await asyncio.gather(*greetings))[0]
        except TimeoutError:
            raise ModelError(f"the model was not opened within {_PATIENCE:.0f} s: give it a faster machine.") from None
        finally:
            self._recruits = []

    def stop(self) -> None:
        """End all workers."""
        self._closing = True
        for member in self._members.values():
            member.end()
        for recruit in self._recruits:
            recruit.end()

    async def ask(self, kind: Kind, payload: bytes) -> Message:
        """Have a worker answer.

        Raises:
            Busy: too many photos wait.
            Lost: the worker was lost over it.
        """
        job = _Job(kind, payload, asyncio.get_running_loop().create_future())
        if self._idle:
            self._idle.popleft().take(job)
        elif len(self._waiting) < self.queue:
            self._waiting.append(job)
        else:
            raise Busy
        return await job.answer

    def _next(self, member: "_Member") -> None:
        while self._waiting:
            job = self._waiting.popleft()
            if not job.answer.done():  # who asked may have gone away
                return member.take(job)
        return self._idle.append(member)

    async def _join(self, number: int, recruit: "_Recruit", greeted: asyncio.Future[Any] | None = None) -> None:
        member = _Member(number, recruit, self.seconds, self._next, self._lost, greeted)
        self._members[number] = member
        await asyncio.get_running_loop().create_unix_connection(lambda: member, sock=recruit.connection)

    def _lost(self, member: "_Member") -> None:
        self._before[member.number] += member.served
        if member in self._idle:
            self._idle.remove(member)
        if not self._closing and not self._recruits:  # while the team gathers, `start` says what is wrong
            self.replaced += 1
            pause = 0 if member.served else min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self.replaced, 10))
            asyncio.get_running_loop().call_later(pause, self._replace, member.number)

    def _replace(self, number: int) -> None:
        if not self._closing:
            task = asyncio.get_running_loop().create_task(self._join(number, _Recruit(self._arguments)))
            self._members[number].successor = task


class _Recruit:
    """A worker's process that has been started, and our end of the line to it."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self.connection, theirs = socket.socketpair()
        for end in (self.connection, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        command = [sys.executable, "-m", "petpark.deploy.serving.worker", str(theirs.fileno()), *arguments]
        environment = {**os.environ, **_ENVIRONMENT}
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command, pass_fds=[theirs.fileno()], env=environment
        )
        theirs.close()
        self.connection.setblocking(False)  # noqa: FBT003 - as the library has it

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()


class _Member(asyncio.Protocol):
    """Our side of the line to one worker."""

    def __init__(
        self,
        number: int,
        recruit: _Recruit,
        seconds: float,
        free: Callable[["_Member"], None],
        lost: Callable[["_Member"], None],
        greeted: asyncio.Future[Any] | None,
    ) -> None:
        self.number, self.pid, self.served, self.ready = number, recruit.process.pid, 0, False
        self.successor: asyncio.Task[None] | None = None
        self._process, self._seconds, self._free, self._on_lost = recruit.process, seconds, free, lost
        self._greeted = greeted
        self._transport: asyncio.WriteTransport
        self._buffer = bytearray()
        self._job: _Job | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._slow = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one by behaviour alone

    def take(self, job: _Job) -> None:
        """Give the worker a photo."""
        self._job = job
        self._alarm = asyncio.get_running_loop().call_later(self._seconds / 2, self._half_time)
        self._transport.writelines((wire.head(job.kind, job.payload), job.payload))

    def end(self) -> None:
        """End the worker."""
        self._transport.close()
        self._process.terminate()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) < wire.HEAD.size:
            return
        length, kind = wire.HEAD.unpack_from(self._buffer)
        if len(self._buffer) >= wire.HEAD.size + length:  # one question, one answer: nothing can follow it
            payload = bytes(self._buffer[wire.HEAD.size : wire.HEAD.size + length])
            self._buffer.clear()
            self._heard(Kind(kind), payload)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self._settle(error=Lost(slow=self._slow))
        self.ready = False
        self._process.kill()
        self._process.wait()
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_exception(ModelError("an inference worker ended before it had opened the model."))
        self._on_lost(self)

    def _heard(self, kind: Kind, payload: bytes) -> None:
        match kind:
            case Kind.HELLO:
                self.ready = True
                if self._greeted is not None:
                    self._greeted.set_result(json.loads(payload))
                self._free(self)
            case Kind.FAILED:
                if self._greeted is not None:
                    self._greeted.set_exception(ModelError(payload.decode()))
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
        self._slow = (
            usage(self.pid).cpu_seconds - until_half_time > self._seconds / 4
        )  # else the machine is what is slow
        self._process.kill()
