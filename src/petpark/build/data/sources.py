"""Where photos come from: a folder, a tar, a zip, a bucket of S3, a database.

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
_DATABASES: Final = "sqlite:///FILE or postgresql://USER@HOST/NAME"


def opened(given: str, query: str | None = None) -> AbstractContextManager[listing.Source]:
    """Open a source of photos.

    Args:
        given: a folder of `label/photo.jpg`, a tar (also a compressed one) or zip of such, an address
            `s3://bucket/prefix` below which such keys lie, or a database's address (`sqlite:///FILE`,
            `postgresql://USER@HOST/NAME`).
        query: for a database, the SELECT that gives a row a photo.

    In an archive, one top folder that all files share is taken off. Hidden files, and files outside any label's folder,
    are passed over. Nothing is extracted.

    Raises:
        DataError: it is none of these, cannot be reached or read to its end, is broken or encrypted, holds links or
            paths that lead out of it, or no photo.
        SetupError: the driver of the database is not installed.
    """
    if _is_database(given):
        from petpark.build.data import rows

        return rows.selected(given, query)
    if query is not None:
        raise DataError(f"`--query` is for a database ({_DATABASES}), and {given!r} is none: leave it out.")
    if _is_bucket(given):
        from petpark.build.data import s3

        return s3.prefix(given)
    path = Path(given)
    if not given or Path.cwd().is_relative_to(path.resolve()):
        raise DataError(
            f"{given!r} is this repository, or holds it: give a folder, a tar or a zip of photos alone "
            "(`label/photo.jpg`)."
        )
    if path.is_dir():
        return _folder(given)
    if not path.is_file():
        raise DataError(
            f"there is no folder or file {given!r}: give a folder, a tar or a zip of `label/photo.jpg`, "
            f"s3://BUCKET/PREFIX, or a database ({_DATABASES})."
        )
    with path.open("rb") as file:
        start = file.read(8)
    return containers.zipped(given) if containers.is_zip(start) else containers.tar(given)


def forget(given: str, query: str | None = None) -> None:
    """Remove what was fetched of a source and kept, now that its batch is made."""
    if _is_database(given):
        from petpark.build.data import rows

        rows.kept(given, query or "").remove()
    elif _is_bucket(given):
        from petpark.build.data import s3

        s3.kept(given).remove()


def batch_name(given: str) -> str:
    """Derive a batch's name from its source's; empty where nothing of it can be used."""
    if _is_database(given):
        from petpark import databases

        stem = Path(databases.parsed(given).database or "").stem
    else:
        stem = _ENDINGS.sub("", Path(given).absolute().name)
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    return re.sub(r"^[^A-Za-z0-9]+", "", name)[:_LONGEST_NAME].rstrip("-._")


def _is_bucket(given: str) -> bool:
    return given.startswith("s3://")


def _is_database(given: str) -> bool:
    return "://" in given and not _is_bucket(given)


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
