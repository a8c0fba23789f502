"""Fair races: contenders by turns, each in a process of its own, and ratios with their spread."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

ROOT: Final = Path(__file__).parents[1]
SCRATCH: Final = ROOT / ".petpark" / "benchmarks"

P = ParamSpec("P")
T = TypeVar("T")
Clock = Callable[[], float]


class Spread(NamedTuple):
    """The middle of some measurements, the least and the greatest."""

    middle: float
    low: float
    high: float


def alternate(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every contender once a round, and begin each round with another one.

    What slows the machine down for a while so falls on all of them.

    Returns:
        What each contender returned, by its name, a value a round.
    """
    names = list(contenders)
    found: dict[str, dict[int, T]] = {name: {} for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name][number] = contenders[name]()
    return {name: list(values.values()) for name, values in found.items()}


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Time some work."""
    begin = clock()
    work()
    return clock() - begin


def spread(values: Sequence[float]) -> Spread:
    """The median of some values between the least and the greatest."""
    return Spread(median(values), min(values), max(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Divide the measurements of two contenders, round by round."""
    return spread([one / other for one, other in zip(above, below, strict=True)])


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module in a fresh process: its caches, threads and memory are its own.

    Arguments and result travel as JSON, so a tuple comes back as a list and a path as text.

    Raises:
        RuntimeError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        name = f"{function.__module__}:{function.__name__}"
        call = json.dumps([args, kwargs], default=os.fspath)
        run([sys.executable, "-m", "benchmarks.apart", name, str(answer)], given=call)
        value: T = json.loads(answer.read_text())
    return value


def run(command: Sequence[str | Path], cwd: Path = ROOT, given: str | None = None) -> str:
    """Run a command, and return what it said.

    Raises:
        RuntimeError: it failed; the message holds the end of what it said.
    """
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=environment(),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"`{words}` ended with status {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def environment() -> dict[str, str]:
    """The environment of contenders: this code and its programs, no analytics, nothing asked of a network."""
    path = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MAKE", "MFLAGS"))}
    return kept | {
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": os.pathsep.join(path),
        "DVC_NO_ANALYTICS": "1",
        "HF_HUB_OFFLINE": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "GIT_AUTHOR_NAME": "petpark",
        "GIT_AUTHOR_EMAIL": "benchmarks@petpark.invalid",
        "GIT_COMMITTER_NAME": "petpark",
        "GIT_COMMITTER_EMAIL": "benchmarks@petpark.invalid",
    }


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """An empty folder that goes when the block ends; beside the repository's other scratch, so on the same disk."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=SCRATCH) as folder:
        yield Path(folder)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def scaled(count: int, least: int = 2) -> int:
    """A count, shrunk by the environment variable SCALE (1 where it is not set), for those who develop a row."""
    return max(least, round(count * float(os.environ.get("SCALE", "1"))))


def rounds(count: int) -> int:
    """How many rounds to run: so many, or what the environment variable ROUNDS says."""
    return int(os.environ.get("ROUNDS", count))


def describe(value: Any) -> str:
    """A number for people: three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
