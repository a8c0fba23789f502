"""Which files below a folder any process opens, as the kernel tells it (Linux: inotify)."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_OPENED: Final = 0x20  # IN_OPEN
_EVENT: Final = struct.Struct("iIII")  # watch, what, cookie, length of the name that follows
_BUFFER: Final = 1 << 20
_OVERFLOW: Final = 0x4000  # IN_Q_OVERFLOW
_FOLDER: Final = 0x40000000  # IN_ISDIR


@contextmanager
def watch(folder: Path) -> Iterator[set[Path]]:
    """Give a set that holds, when the block has ended, the files below a folder that were opened meanwhile.

    Raises:
        OSError: the kernel watches no more folders, or more was opened than it kept.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    queue = libc.inotify_init1(os.O_NONBLOCK)
    if queue < 0:
        raise OSError(ctypes.get_errno(), "inotify cannot start")
    seen: set[Path] = set()
    try:
        folders = {_add(libc, queue, each): each for each in (folder, *folder.rglob("*")) if each.is_dir()}
        yield seen
        seen.update(folders[number] / name for number, name in _events(queue))
    finally:
        os.close(queue)


def _add(libc: ctypes.CDLL, queue: int, folder: Path) -> int:
    number = libc.inotify_add_watch(queue, os.fsencode(folder), _OPENED)
    if number < 0:
        raise OSError(ctypes.get_errno(), f"inotify cannot watch {folder}")
    return int(number)


def _events(queue: int) -> Iterator[tuple[int, str]]:
    """Yield (watch, name) of every file that was opened."""
    while data := _waiting(queue):
        place = 0
        while place < len(data):
            number, what, _, length = _EVENT.unpack_from(data, place)
            place += _EVENT.size + length
            if what & _OVERFLOW:
                raise OSError("more files were opened than inotify keeps")
            if not what & _FOLDER:
                yield number, os.fsdecode(data[place - length : place].rstrip(b"\0"))


def _waiting(queue: int) -> bytes:
    try:
        return os.read(queue, _BUFFER)
    except BlockingIOError:
        return b""
