"""Photos in a tar or a zip: every name is checked before the first photo is read, and nothing is extracted to disk."""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from petpark import layout
from petpark.build.data import listing
from petpark.errors import DataError

_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
_ROOM: Final = 64 << 20  # what any compressed tar may unpack to
_RATIO: Final = 100  # and beyond that, how many times its size: photos hardly shrink
_DRIVE: Final = re.compile(r"[A-Za-z]:/")
_PACKERS: Final[dict[bytes, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_BROKEN_TAR: Final = (tarfile.TarError, RecursionError, OverflowError, ValueError)
_BROKEN_STREAM: Final = (EOFError, zlib.error, lzma.LZMAError, OSError)
_BROKEN_ZIP: Final = (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)


def is_zip(start: bytes) -> bool:
    """Whether a file that starts so is a zip, if a broken one."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


@contextmanager
def tar(given: str) -> Iterator[listing.Source]:
    """Open a tar; a compressed one is unpacked into an unnamed file first, for photos come in the order of their paths.

    Raises:
        DataError: it is no tar, cannot be read to its end, or holds links or paths that lead out of it.
    """
    with Path(given).open("rb") as packed, _plain(given, packed) as file:
        yield listing.source(given, "tar", _tar_entries(given, file), strip=True)


@contextmanager
def zipped(given: str) -> Iterator[listing.Source]:
    """Open a zip.

    Raises:
        DataError: it is broken or encrypted, or holds links or paths that lead out of it.
    """
    try:
        with zipfile.ZipFile(given) as archive:
            entries = [_zip_entry(given, archive, info) for info in archive.infolist() if not _is_folder(info)]
            yield listing.source(given, "zip", entries, strip=True)
    except _BROKEN_ZIP as error:
        raise _broken(given, "zip", str(error)) from None
    except NotImplementedError as error:  # a way of compressing that Python does not know
        raise DataError(f"{given} cannot be read ({error}): pack it anew as an ordinary zip.") from None


def _plain(given: str, packed: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    start = packed.read(8)
    packed.seek(0)
    unpack = next((unpack for magic, unpack in _PACKERS.items() if start.startswith(magic)), None)
    return nullcontext(packed) if unpack is None else _unpacked(given, unpack(packed))


@contextmanager
def _unpacked(given: str, stream: IO[bytes]) -> Iterator[IO[bytes]]:
    layout.SCRATCH.mkdir(exist_ok=True)
    with stream, tempfile.TemporaryFile(dir=layout.SCRATCH) as plain:
        try:
            _copy(given, stream, plain)
        except _BROKEN_STREAM as error:
            if getattr(error, "errno", None):  # the disk's, not the archive's
                raise
            raise _broken(given, "tar", str(error)) from None
        plain.seek(0)
        yield plain


def _copy(given: str, stream: IO[bytes], plain: IO[bytes]) -> None:
    limit = max(_ROOM, _RATIO * Path(given).stat().st_size)
    while chunk := stream.read(_CHUNK):
        limit -= len(chunk)
        if limit < 0:
            raise DataError(
                f"{given} unpacks to more than {_RATIO} times its size, as no photos do: unpack it yourself, and add "
                "the folder."
            )
        plain.write(chunk)


def _tar_entries(given: str, file: IO[bytes]) -> Iterator[listing.Entry]:
    archive, end = _tar_file(given, file), 0
    try:
        while (info := archive.next()) is not None:
            if info.size < 0 or archive.offset <= end:
                raise _broken(given, "tar", f"{info.name!r} has a size that cannot be")
            end = archive.offset
            archive.members.clear()  # type: ignore[attr-defined] # tarfile would keep them all
            path = listing.cleaned(given, info.name)
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise listing.refused(given, path, _what(link=info.islnk() or info.issym()))
            yield listing.Entry(path, info.size, partial(_at, file, info.offset_data))
    except _BROKEN_TAR as error:
        raise _broken(given, "tar", str(error)) from None
    _check_end(given, file, archive.offset)


def _tar_file(given: str, file: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=file, mode="r:")
    except _BROKEN_TAR as error:
        raise DataError(
            f"{given} is no folder, no tar and no zip ({error}): give one that holds `label/photo.jpg`."
        ) from None


def _check_end(given: str, file: IO[bytes], offset: int) -> None:
    """Tell the end from damage: tarfile stops silently at a header that it cannot read."""
    file.seek(offset)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK:
        raise _broken(given, "tar", "it is cut short")
    while block:
        if block.strip(b"\0"):
            raise _broken(given, "tar", f"no header and no end at byte {offset:,}")
        block = file.read(_CHUNK)


def _at(file: IO[bytes], offset: int) -> AbstractContextManager[IO[bytes]]:
    file.seek(offset)
    return nullcontext(file)


def _zip_entry(given: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> listing.Entry:
    path = listing.cleaned(given, _slashes(info))
    if _DRIVE.match(path):
        raise listing.refused(given, path, "lies outside the archive")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise listing.refused(given, path, _what(link=kind == stat.S_IFLNK))
    if info.flag_bits & 1:
        raise DataError(f"{given} is encrypted: unpack it with its password, and add the folder.")
    return listing.Entry(path, info.file_size, partial(archive.open, info))


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return _slashes(info).endswith("/")


def _slashes(info: zipfile.ZipInfo) -> str:
    """Some programs write the folders of Windows as they are."""
    return info.filename.replace("\\", "/")


def _what(*, link: bool) -> str:
    return "is a link" if link else "is no ordinary file"


def _broken(given: str, kind: str, why: str) -> DataError:
    return DataError(f"{given} is no {kind} that can be read to its end ({why}): fetch or make it again.")
