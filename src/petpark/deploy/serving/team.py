"""The team of inference workers: processes of their own, one photo each at a time, replaced when they are lost."""

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self

from petpark.config.serve import ServeSettings
from petpark.deploy.serving import model
from petpark.deploy.serving.member import Job, Lost, Member, Message, Recruit
from petpark.deploy.serving.wire import Kind
from petpark.errors import ModelError

__all__ = ["Busy", "Left", "Lost", "Team"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0  # before another try, where a new worker does not get ready
_WAITING: Final = 8  # photos for each worker, where the settings do not say
_PATIENCE: Final = 60.0  # for a worker to open its model
Partings = set[Callable[[], None]]
_LOGGER: Final = logging.getLogger("petpark")


class Busy(Exception):  # noqa: N818 - no error: the answer to one photo too many
    """So many photos wait that another one would wait too long, or this one has."""


class Left(Exception):  # noqa: N818 - likewise
    """Who asked has gone away while the photo waited."""


class Team:
    """Hands photos to the worker that has been idle for longest.

    Args:
        arguments: what a worker is started with, after its socket.
        size: how many workers.
        queue: photos that may wait.
        seconds: how long a worker may take for one photo, and how long a photo may wait for one.
    """

    def __init__(self, arguments: tuple[str, ...], size: int, queue: int, seconds: float) -> None:
        self.size, self.queue, self.seconds = size, queue, seconds
        self.replaced = 0
        self.hello: dict[str, Any] = {}
        self._arguments = arguments
        self._members: dict[int, Member] = {}
        self._before: Counter[int] = Counter()
        self._idle: deque[Member] = deque()
        self._waiting: deque[Job] = deque()
        self._recruits = [Recruit(arguments) for _ in range(size)]  # they start while the service is still imported
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    @classmethod
    def gather(cls, settings: ServeSettings) -> Self:
        """Start the team that the settings ask for."""
        size = settings.workers or len(os.sched_getaffinity(0))
        pixels = round(settings.max_megapixels * 1_000_000)
        arguments = (str(model.find(settings)), str(pixels))
        return cls(arguments, size, settings.queue or _WAITING * size, settings.photo_seconds)

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
        joining = [self._join(number, recruit) for number, recruit in enumerate(self._recruits)]
        self.hello = (await asyncio.gather(*joining))[0]
        self._recruits = []
        for member in self._members.values():
            self._welcome(member)

    def stop(self) -> None:
        """End all workers."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        for member in self._members.values():
            member.end()
        for recruit in self._recruits:
            recruit.end()

    async def ask(self, kind: Kind, payload: bytes, partings: Partings) -> Message:
        """Have a worker answer.

        Args:
            kind: of the question.
            payload: the photo.
            partings: what is called where who asks goes away.

        Raises:
            Busy: too many photos wait, or this one has waited for too long.
            Left: who asked has gone away, before a worker had the photo.
            Lost: the worker was lost over it.
        """
        job = Job(kind, payload, asyncio.get_running_loop().create_future())
        if self._idle:
            self._idle.popleft().take(job)
            return await job.answer
        if len(self._waiting) >= self.queue:
            raise Busy
        return await self._queued(job, partings)

    async def _queued(self, job: Job, partings: Partings) -> Message:
        self._waiting.append(job)
        leave = partial(self._drop, job, Left())
        partings.add(leave)
        alarm = asyncio.get_running_loop().call_later(self.seconds, self._drop, job, Busy())
        try:
            return await job.answer
        finally:
            self._forget(job)
            partings.discard(leave)
            alarm.cancel()

    def _drop(self, job: Job, why: Exception) -> None:
        if self._forget(job):
            job.answer.set_exception(why)

    def _forget(self, job: Job) -> bool:
        """Take a photo out of the queue; false where a worker has it."""
        try:
            self._waiting.remove(job)
        except ValueError:
            return False
        return True

    def _next(self, member: Member) -> None:
        if self._waiting:
            member.take(self._waiting.popleft())
        else:
            self._idle.append(member)

    async def _join(self, number: int, recruit: Recruit) -> dict[str, Any]:
        """Have a worker take a place; return what it says of the model."""
        self._members[number] = member = Member(number, recruit, self.seconds, self._next, self._lost)
        await asyncio.get_running_loop().create_unix_connection(lambda: member, sock=recruit.connection)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await member.greeting
        except TimeoutError:
            member.end()
            raise ModelError(f"the model was not opened within {_PATIENCE:.0f} s: give it a faster machine.") from None

    def _welcome(self, member: Member) -> None:
        member.ready = True
        self._next(member)

    def _lost(self, member: Member) -> None:
        self._before[member.number] += member.served
        if member in self._idle:
            self._idle.remove(member)
        if member.ready and not self._closing:  # else whoever waits for its greeting goes on
            member.ready = False
            self.replaced += 1
            _LOGGER.warning("inference worker %d was lost (process %d): it is replaced", member.number, member.pid)
            task = asyncio.get_running_loop().create_task(self._replace(member.number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _replace(self, number: int) -> None:
        """Try until there is a worker again."""
        pause = _FIRST_PAUSE
        while True:
            try:
                if await self._join(number, Recruit(self._arguments)) == self.hello:
                    return self._welcome(self._members[number])
                why = "the model's file is not the one that is served any more: start the service anew."
            except (OSError, ModelError) as error:
                why = str(error)
            self._members[number].end()
            _LOGGER.warning("no new inference worker: %s", why)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
