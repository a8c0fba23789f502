"""Files that are named on the command line."""

import stat
from pathlib import Path

from petpark.images import MAX_BYTES, ImageError


def read_photo(path: Path) -> bytes:
    """Read the file of a photo; what is too large, or would never end, is not read.

    Raises:
        ImageError: it is no ordinary file, or a larger one than MAX_BYTES.
        OSError: there is no such file, or it cannot be read.
    """
    found = path.stat()  # not of the open file: to open a pipe is to wait for its writer
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise ImageError("not-an-image", "no ordinary file")
    if found.st_size > MAX_BYTES:
        raise ImageError("too-many-bytes", f"{found.st_size >> 20} MiB")
    with path.open("rb") as file:
        return file.read(MAX_BYTES)
