"""What a source of photos holds, whatever its kind: which files count, and what is the label and what the name."""

import mimetypes
import unicodedata
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any, Final, NamedTuple

from petpark.errors import DataError

_LITTER: Final = ("__macosx", "desktop.ini", "thumbs.db")  # what systems leave in folders, beside their hidden files


class Photo(NamedTuple):
    """One photo on its way into a batch: `size` bytes are read from `file` before the next photo is asked for."""

    label: str
    name: str  # below the label's folder
    size: int
    file: IO[bytes]


@dataclass(frozen=True)
class Source:
    """Photos in the order of their paths (`label/name`), and where they come from."""

    given: str
    """The source as it was given."""
    provenance: Mapping[str, Any]
    """Its `kind`, and whatever else tells where the photos come from."""
    photos: Generator[Photo]
    size: int | None = None
    """Bytes of all photos, where that is known beforehand."""
    passed_over: int = 0
    """Files that are no photos: hidden ones, and those outside any label's folder."""


class Entry(NamedTuple):
    """One file of a source, before anything is known about it."""

    path: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    fetch: Callable[[], object] | None = None
    """Brings the file to where `open` finds it; None where it is there."""


def source(given: str, kind: str, entries: Iterable[Entry], *, strip: bool) -> Source:
    """Make a source of a list of files.

    Args:
        given: the source, as it was given.
        kind: what it is.
        entries: its files, by paths as `cleaned` gives them.
        strip: whether a top folder that all files share is taken off: archives are often made of a whole folder.

    Raises:
        DataError: there is no `label/name` among the files.
    """
    every = list(entries)
    photos = chosen(given, every, strip=strip)
    return of(given, {"kind": kind}, photos, passed_over=len(every) - len(photos))


def of(given: str, provenance: Mapping[str, Any], photos: Sequence[Entry], *, passed_over: int = 0) -> Source:
    """Make a source of photos that are in order."""
    return Source(given, provenance, _opened(photos), sum(entry.size for entry in photos), passed_over)


def chosen(given: str, entries: Iterable[Entry], *, strip: bool) -> list[Entry]:
    """Choose the photos among files: those in a label's folder that are not hidden, in the order of their paths.

    Raises:
        DataError: there is none, or a path comes twice.
    """
    seen = [entry for entry in entries if not any(map(hidden, entry.path.split("/")))]
    if strip:
        seen = _without_top(seen)
    photos = ordered(given, (entry for entry in seen if "/" in entry.path))
    if not photos:
        raise DataError(_nothing(given, len(seen)))
    return photos


def ordered(given: str, entries: Iterable[Entry]) -> list[Entry]:
    """Bring photos into the order of their paths.

    Raises:
        DataError: a path comes twice.
    """
    photos = sorted(entries, key=lambda entry: entry.path)
    for one, next_one in pairwise(photos):
        if one.path == next_one.path:
            raise refused(given, one.path, "comes twice")
    return photos


def is_label(name: str) -> bool:
    """Whether a label can have this name, which is a folder's."""
    return bool(name) and name.isprintable() and "/" not in name and not hidden(name)


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of a person's doing."""
    return name.startswith(".") or name.lower() in _LITTER


def cleaned(given: str, name: str) -> str:
    """Return a path inside a source in its one form; what is no UTF-8 comes with escapes.

    Accents are composed (NFC): systems write the same label in two ways.

    Raises:
        DataError: the path leads out of the source.
    """
    text = unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts:
        raise refused(given, text, "lies outside the archive")
    return "/".join(parts)


def refused(given: str, name: str, what: str) -> DataError:
    """The error that tells why something in a source stops it."""
    return DataError(f"{given}: {name!r} {what}. Take it out and add the rest; nothing was changed.")


def _without_top(entries: list[Entry]) -> list[Entry]:
    """Take off a top folder that all files share, unless the photos lie right in it: then it is the label."""
    paths = [entry.path.split("/") for entry in entries]
    shared = len({path[0] for path in paths}) == 1
    deep = any(len(path) > 2 for path in paths)
    is_label = any(len(path) == 2 and _looks_like_a_photo(path[1]) for path in paths)
    if not shared or not deep or is_label:
        return entries
    return [entry._replace(path=entry.path.partition("/")[2]) for entry in entries]


def _looks_like_a_photo(name: str) -> bool:
    return (mimetypes.guess_type(name)[0] or "").startswith("image/")


def _nothing(given: str, files: int) -> str:
    found = f"holds {files:,} files but no folder of photos" if files else "holds no photo"
    return f"{given} {found}: a batch is photos in folders, one folder a label (`label/photo.jpg`)."


def _opened(entries: Iterable[Entry]) -> Generator[Photo]:
    for entry in entries:
        label, _, name = entry.path.partition("/")
        with entry.open() as file:
            yield Photo(label, name, entry.size, file)
