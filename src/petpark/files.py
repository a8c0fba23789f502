"""Files that are whole or absent: everything is written beside its place and renamed into it."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from petpark import locks


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, and move it to `path` only if the block ends well.

    The block may make a file or a folder there. What was left by a run that was killed is removed first. A file takes
    the place of another one at once; a folder can only follow one that was removed. Of several writers one writes.

    Raises:
        SetupError: another process, or thread, writes `path`, and has not ended in `locks.WAIT` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with locks.alone(path.with_name(f".{path.name}.partial.lock"), f"writes {path}"):
        remove(partial)
        try:
            yield partial
            if path.is_dir() or partial.is_dir():
                remove(path)
            partial.replace(path)
        finally:
            remove(partial)


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    with whole(path) as partial:
        partial.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write JSON that a person can diff; NaN and infinity are refused (ValueError)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
