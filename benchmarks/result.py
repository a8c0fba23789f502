"""What a row of the table holds, and the file that keeps all rows."""

import dataclasses
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from benchmarks import harness
from petpark import files

RESULTS: Final = Path(__file__).with_name("results.json")
_DIGITS: Final = 4


@dataclasses.dataclass(frozen=True)
class Result:
    """One measured row."""

    row: str
    """Its name, which is also that of its module."""
    figure: float
    """What was measured, the middle of all rounds."""
    unit: str
    goal: str
    """What must be reached, in words."""
    met: bool
    limit: str
    """What no one can beat, or the figure may not pass, in words."""
    peers: Mapping[str, harness.Spread]
    """How many times as fast petpark is as each contender, with the spread."""
    spread: tuple[float, float]
    """The least and the greatest figure of all rounds."""
    date: str
    machine: str
    """Where, and with which pictures, in words."""

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Make a result of what `json` reads."""
        peers = {name: harness.Spread(*each) for name, each in value["peers"].items()}
        low, high = value["spread"]
        return cls(**{**value, "peers": peers, "spread": (low, high)})


def made(
    row: str,
    figure: harness.Spread,
    unit: str,
    *,
    goal: str,
    met: bool,
    limit: str,
    pictures: str,
    peers: Mapping[str, harness.Spread] | None = None,
) -> Result:
    """Make a result of today and of this machine."""
    middle, *ends = (_short(value) for value in figure)
    return Result(
        row,
        middle,
        unit,
        goal,
        met,
        limit,
        {name: harness.Spread(*map(_short, each)) for name, each in (peers or {}).items()},
        (ends[0], ends[1]),
        datetime.now(UTC).date().isoformat(),
        f"{machine()}; {pictures}",
    )


def read(path: Path = RESULTS) -> dict[str, Result]:
    """All results by the name of their row; none where nothing was measured yet."""
    if not path.exists():
        return {}
    return {value["row"]: Result.read(value) for value in json.loads(path.read_text())}


def write(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write results as a list."""
    files.write_json(path, [dataclasses.asdict(each) for each in results])


def machine() -> str:
    """Name the processor, its cores that may be used, and Python."""
    with open("/proc/cpuinfo") as file:  # noqa: PTH123 - Path.open would do the same
        found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = found[1].strip() if found else platform.machine()
    return f"{harness.cores()} cores of {name}, {memory:.0f} GB, Python {platform.python_version()}"


def _short(value: float) -> float:
    """Digits that no clock can give are left out."""
    return float(f"{value:.{_DIGITS}g}")
