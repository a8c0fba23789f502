"""What a process uses, as Linux counts it (proc(5))."""

import os
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """CPU time in seconds and resident memory in bytes."""

    cpu_seconds: float
    resident_bytes: int


def usage(pid: int) -> Usage:
    """What a process has used; nothing where it has ended, or where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Usage(0.0, 0)
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
