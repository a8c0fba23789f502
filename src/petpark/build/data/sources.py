"""Where photos come from: a folder, a tar, a zip.

A new kind of source is one function that gives a `listing.Source`, and one line in `opened`.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Final

from petpark.build.data import containers, listing
from petpark.errors import DataError

_ENDINGS: Final = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
_LONGEST_NAME: Final = 64


def opened(given: str) -> AbstractContextManager[listing.Source]:
    """Open a source of photos: a folder of `label/photo.jpg`, or a tar (also a compressed one) or zip of such.

    In an archive, one top folder that all files share is taken off. Hidden files, and files outside any label's folder,
    are passed over. Nothing is extracted.

    Raises:
        DataError: it is none of these, is broken or encrypted, holds links or paths that lead out of it, or no photo.
    """
    path = Path(given)
    if path.is_dir():
        return _folder(given)
    if not path.is_file():
        raise DataError(f"there is no folder or file {given!r}: give a folder, a tar or a zip of `label/photo.jpg`.")
    with path.open("rb") as file:
        start = file.read(8)
    return containers.zipped(given) if containers.is_zip(start) else containers.tar(given)


def batch_name(given: str) -> str:
    """Derive a batch's name from its source's; empty where nothing of it can be used."""
    stem = _ENDINGS.sub("", Path(given).absolute().name)
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    return re.sub(r"^[^A-Za-z0-9]+", "", name)[:_LONGEST_NAME].rstrip("-._")


@contextmanager
def _folder(given: str) -> Iterator[listing.Source]:
    yield listing.source(given, "folder", _files(given, Path(given), ""), strip=False)


def _files(given: str, folder: Path, above: str) -> Iterator[listing.Entry]:
    """Yield every file below a folder; of a hidden folder no more than itself."""
    with os.scandir(folder) as found:
        for each in found:
            path = listing.cleaned(given, f"{above}{each.name}")
            if listing.hidden(each.name):
                yield listing.Entry(path, 0, partial(_read, each.path))
            elif each.is_symlink():
                raise listing.refused(given, path, "is a link, and links are not followed")
            elif each.is_dir():
                yield from _files(given, Path(each.path), f"{above}{each.name}/")
            elif each.is_file():
                yield listing.Entry(path, each.stat().st_size, partial(_read, each.path))
            else:
                raise listing.refused(given, path, "is no ordinary file")


def _read(path: str) -> IO[bytes]:
    return Path(path).open("rb")
