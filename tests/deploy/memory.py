"""Memory of a process, as Linux tells it (proc(5))."""

import re
from pathlib import Path


def resident(pid: int) -> int:
    """Bytes in memory, in proportion where they are shared (PSS)."""
    found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


def descriptors(pid: int) -> int:
    """Open files and sockets."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
