"""One process at a time: locks that the system itself lets go when their holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from petpark.errors import SetupError

WAIT: Final = 10.0  # seconds until a process is told that another one is at work
_STEP: Final = 0.05

_held: list[int] = []


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold a lock, which is a file that is there as long as someone holds it, or was killed.

    Args:
        path: the file; its folder is there.
        what: what the other process does, for the sentence, such as "writes data.dvc".

    Raises:
        SetupError: another process, or thread, holds the lock and has not let it go in `WAIT` seconds.
    """
    file = _taken(path, what)
    _held.append(file)
    try:
        yield
    finally:
        _held.remove(file)
        path.unlink(missing_ok=True)
        os.close(file)


def held() -> tuple[int, ...]:
    """Return the descriptors of all locks: a child that gets them keeps the locks when this process is killed."""
    return tuple(_held)


def _taken(path: Path, what: str) -> int:
    deadline = time.monotonic() + WAIT
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            if time.monotonic() > deadline:
                raise SetupError(f"another petpark {what}: wait until it has ended, and run this again.") from None
            time.sleep(_STEP)
        else:
            if _is(file, path):
                return file
            os.close(file)  # who held it before removed the file


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
