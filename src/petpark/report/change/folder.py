"""Files of a folder that a stranger may have filled: no link is followed, and no file is read beyond a limit."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from petpark.errors import DataError

Reader: TypeAlias = Callable[[Path, int], bytes | None]
"""From a path inside a side, and the most bytes it may have, to its content; None where there is no such file."""

_LINK: Final = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)


def reader(root: Path) -> Reader:
    """Read inside a folder.

    Raises:
        DataError: there is no such folder; and when reading: a link or a pipe is in the place of a file or a folder,
            a file is larger than it may be, or the system does not let it be read.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder: name one that holds policy.yaml and reports/.")

    def read(path: Path, most: int) -> bytes | None:
        try:
            return _content(root, path, most)
        except FileNotFoundError:
            return None
        except OSError as error:
            why = "is no ordinary file" if error.errno in _LINK else f"cannot be read ({error.strerror})"
            raise DataError(f"{root / path} {why}: bring the file itself.") from None

    return read


def _content(root: Path, path: Path, most: int) -> bytes:
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in path.parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not wait for its writer
        file = os.open(path.name, flags, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{root / path} is no ordinary file: bring the file itself.")
        if found.st_size > most:
            raise DataError(f"{root / path} has {found.st_size:,} bytes, and may have {most:,}: it is not read.")
        with os.fdopen(file, "rb", closefd=False) as opened:
            return opened.read(most)
    finally:
        os.close(file)
