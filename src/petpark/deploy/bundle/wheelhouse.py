"""The wheels that the container installs, fetched by the host: its settings of the index count, and no build fetches.

A wheelhouse is named by its lock and kept in .petpark/, so that a lock is fetched for once.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from petpark import files, layout
from petpark.deploy.bundle import programs
from petpark.errors import SetupError

PYTHON: Final = "3.11"  # of the image
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}  # Docker's words, and Python's
_GLIBC: Final = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34")  # Debian 12 has 2.36
_KEPT: Final = layout.SCRATCH / "wheels"


def fetch(lock: Path, machine: str) -> Path:
    """Fetch the wheels of a lock, each of the hash that stands there.

    Args:
        lock: exact versions with hashes.
        machine: that the image is for, as Docker calls it: amd64 or arm64.

    Returns:
        their folder.

    Raises:
        SetupError: they cannot be had.
    """
    if machine not in _MACHINES:
        raise SetupError(f"No container is built for '{machine}': the dependencies have no wheels for it.")
    tags = [f"manylinux_{version}_{_MACHINES[machine]}" for version in _GLIBC]
    tags += [f"manylinux2014_{_MACHINES[machine]}", f"linux_{_MACHINES[machine]}"]
    name = hashlib.sha256(b"\0".join([lock.read_bytes(), PYTHON.encode(), *map(str.encode, tags)])).hexdigest()[:16]
    folder = _KEPT / name
    if not folder.exists():
        _forget()
        with files.whole(folder) as partial:
            partial.mkdir()
            programs.run(*_command(lock, tags), "--dest", str(partial))
    return folder


def _command(lock: Path, tags: list[str]) -> tuple[str, ...]:
    """A pip of uv's, for an environment made by uv has none."""
    pip = ("uv", "tool", "run", "--no-config", "pip", "--quiet", "--disable-pip-version-check")
    what = ("download", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock))
    return (*pip, *what, "--python-version", PYTHON, *(word for tag in tags for word in ("--platform", tag)))


def _forget() -> None:
    """Remove the wheels of locks before this one."""
    shutil.rmtree(_KEPT, ignore_errors=True)
