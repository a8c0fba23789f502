"""Anonymous memory of a process and all below it, while it runs (Linux: /proc/PID/status, `RssAnon`)."""

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import harness

_PAUSE: Final = 0.05  # seconds between two looks
_PROC: Final = Path("/proc")
_ANONYMOUS: Final = re.compile(r"^RssAnon:\s+(\d+) kB$", re.MULTILINE)


class Watched(NamedTuple):
    """What a command took."""

    seconds: float
    bytes: int
    """The most anonymous memory that its processes held together; pages that they share count for each."""


def watch(command: Sequence[str], cwd: Path) -> Watched:
    """Run a command, and look at the memory of its processes until it ends.

    Raises:
        RuntimeError: it failed.
    """
    begin, most = time.perf_counter(), 0
    with (cwd / "said.txt").open("w+") as said:
        process = subprocess.Popen(
            command, cwd=cwd, env=harness.environment(), stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        while process.poll() is None:
            most = max(most, sum(map(anonymous, family(process.pid))))
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PAUSE)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"`{' '.join(command)}` ended with {process.returncode}:\n{said.read()[-4000:]}")
    return Watched(time.perf_counter() - begin, most)


def family(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    for children in _PROC.glob(f"{pid}/task/*/children"):
        with suppress(OSError):  # it has just ended
            for child in children.read_text().split():
                yield from family(int(child))


def anonymous(pid: int) -> int:
    """Bytes of memory that belong to a process and to no file; 0 where it has just ended."""
    with suppress(OSError):
        found = _ANONYMOUS.search((_PROC / str(pid) / "status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0
