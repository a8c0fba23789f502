"""Examine the photos of an archive on all cores, in the archive's order."""

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from petpark.build import archive, photo
from petpark.errors import PetparkError, SetupError

_CHUNK: Final = 64
_AHEAD: Final = 2  # chunks that a worker has at once: it never waits for the next one
_WINDOW: Final = 4  # chunks for each worker that wait for a slow one before them
_FEW: Final = 256  # photos that are done before a worker process has started

Chunk = tuple[archive.Member, ...]
Verdicts = list[photo.Verdict]
_Connection: TypeAlias = "Connection[Any, Any]"


def examine(path: Path, recipe: photo.Recipe, workers: int) -> Generator[tuple[Chunk, Verdicts]]:
    """Examine all photos of an archive, and yield them in its order, some at a time.

    Worker processes read the archive themselves; only verdicts and stored forms travel between processes.

    Args:
        path: the archive.
        recipe: how photos are checked and stored.
        workers: processes; a small archive, or 1, starts none.

    Raises:
        DataError: the archive cannot be read.
        SetupError: a worker process was killed.
    """
    members = archive.members(path)
    first = list(islice(members, _FEW))
    chunks = _chunks(chain(first, members))
    if workers == 1 or len(first) < _FEW:
        yield from ((chunk, photo.examine_all(path, _places(chunk), recipe)) for chunk in chunks)
    else:
        yield from _in_processes(path, chunks, recipe, workers)


def _in_processes(
    path: Path, chunks: Iterator[Chunk], recipe: photo.Recipe, workers: int
) -> Iterator[tuple[Chunk, Verdicts]]:
    given: deque[Chunk] = deque()  # the oldest first
    verdicts: dict[int, Verdicts] = {}  # by the number of their chunk
    oldest = 0
    with _crew(path, recipe, workers) as crew:
        free = deque(crew * _AHEAD)  # a worker stands here once for each chunk that it can take
        while True:
            while free and len(given) < workers * _WINDOW and (chunk := next(chunks, None)):
                with _alive(path):
                    free.popleft().send((oldest + len(given), _places(chunk)))
                given.append(chunk)
            if not given:
                return
            if oldest in verdicts:
                yield given.popleft(), verdicts.pop(oldest)
                oldest += 1
                continue
            for worker in cast("list[_Connection]", wait(crew)):
                with _alive(path):
                    number, answer = worker.recv()
                if isinstance(answer, PetparkError):
                    raise answer
                verdicts[number] = answer
                free.append(worker)


@contextmanager
def _alive(path: Path) -> Iterator[None]:
    """Turn the end of a worker's pipe into words."""
    try:
        yield
    except (EOFError, ConnectionError):
        raise SetupError(
            f"a process that was working on {path} was killed, most often for want of memory: close other programs and "
            "run it again."
        ) from None


@contextmanager
def _crew(path: Path, recipe: photo.Recipe, workers: int) -> Iterator[list[_Connection]]:
    """Start worker processes, forked from a clean one that imports what they need once for all.

    Each has a pipe of its own, which ends with either side: a dead worker is noticed, and none survives its parent.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([photo.__name__])
    crew: list[_Connection] = []
    processes: list[BaseProcess] = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe()
            crew.append(ours)
            process: BaseProcess = context.Process(target=photo.work, args=(theirs, path, recipe), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
        yield crew
    finally:
        for connection in crew:
            connection.close()
        for process in processes:
            process.terminate()
            process.join()


def _chunks(members: Iterator[archive.Member]) -> Iterator[Chunk]:
    while chunk := tuple(islice(members, _CHUNK)):
        yield chunk


def _places(chunk: Chunk) -> list[tuple[int, int]]:
    return [(member.offset, member.size) for member in chunk]
