"""Read a batch's archive: where each photo lies in it. Nothing is ever extracted to disk."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from petpark.errors import DataError

_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
# What tarfile raises on broken headers: sizes and nesting that no archive has are among them.
_BROKEN: Final = (tarfile.TarError, RecursionError, OverflowError, ValueError, OSError, MemoryError)


class Member(NamedTuple):
    """One photo of an archive: `size` bytes from `offset` on."""

    label: str
    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[Member]:
    """Yield the photos of an uncompressed tar of `label/name.jpg`, in the order of the archive.

    Files outside any folder are no photos and are passed over. Names that are not UTF-8 come with escapes.

    Raises:
        DataError: the archive cannot be read to its end, or holds something that is neither a photo nor a folder, or
            that lies outside it.
    """
    with path.open("rb") as file:
        yield from _photos(path, file)


def _photos(path: Path, file: IO[bytes]) -> Iterator[Member]:
    try:
        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - closed with its file
    except _BROKEN as error:
        raise DataError(
            f"{path} is no uncompressed tar archive ({error}): make one of your photos with `petpark data add`."
        ) from None
    size = path.stat().st_size
    end, last = 0, "its beginning"
    while (info := _next(path, archive, last)) is not None:
        last = f"'{_text(info.name)}'"
        if info.size < 0 or not end < archive.offset <= size:
            raise _damaged(path, last, "it would end outside the archive")
        end = archive.offset
        archive.members.clear()  # type: ignore[attr-defined] # tarfile would keep them all
        member = _member(path, info)
        if member is not None:
            yield member
    _check_end(path, file, archive.offset, last)


def _next(path: Path, archive: tarfile.TarFile, last: str) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except _BROKEN as error:
        raise _damaged(path, last, str(error)) from None


def _member(path: Path, info: tarfile.TarInfo) -> Member | None:
    """The photo that a header announces; None for folders and files outside any."""
    name = _text(info.name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise _refused(path, name, "lies outside the archive")
    if info.isdir():
        return None
    if not info.isreg() or info.issparse():
        raise _refused(path, name, "is a link" if info.islnk() or info.issym() else "is no ordinary file")
    if len(parts) < 2:
        return None
    if not parts[0].isprintable():
        raise _refused(path, name, "lies in a folder whose name cannot be printed")
    return Member(parts[0], "/".join(parts), info.offset_data, info.size)


def _check_end(path: Path, file: IO[bytes], offset: int, last: str) -> None:
    """Tell the end from damage: tarfile stops silently at a header that it cannot read."""
    file.seek(offset)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK:
        raise _damaged(path, last, "the archive is cut short")
    while block:
        if block.strip(b"\0"):
            raise _damaged(path, last, "no header and no end where one must be")
        block = file.read(_CHUNK)


def _text(name: str) -> str:
    """Escape what is no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def _damaged(path: Path, last: str, why: str) -> DataError:
    return DataError(
        f"{path} is damaged or cut short at {last} ({why}): restore it with `dvc checkout {path}`, or make it again "
        "with `petpark data add`."
    )


def _refused(path: Path, name: str, what: str) -> DataError:
    return DataError(
        f"{path}: {name!r} {what}; a batch holds photos in folders, one folder a label, and nothing else. "
        "Remove it and add the batch again with `petpark data add`."
    )
