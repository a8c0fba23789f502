"""Make a batch's archive: the same photos from the same source give the same bytes."""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final

from tqdm import tqdm

from petpark import files
from petpark.build import archive
from petpark.build.corrections import EXCLUDED
from petpark.build.data import listing, sources, tracking
from petpark.errors import DataError
from petpark.images import MAX_BYTES
from petpark.layout import CORRECTIONS

PROVENANCE: Final = "provenance.json"  # the archive's last member, outside any label's folder

_PASSING: Final = ("when", "versions", "petpark")  # what of the provenance may differ where nothing changed
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Contents:
    """What lies in a batch's archive."""

    labels: dict[str, int]
    """Photos of each label."""
    size: int
    """Bytes of all photos."""
    passed_over: int = 0
    """Files of the source that are no photos."""

    @property
    def photos(self) -> int:
        """Photos of all labels."""
        return sum(self.labels.values())


def pack(given: str, path: Path, query: str | None = None) -> Contents:
    """Make an archive of a source, given as on the command line; a database comes with a query.

    Raises:
        DataError: the source cannot be read, gives a path twice, a photo that is too large, more than the store in this
            repository can ever hold, or fewer than two photos.
    """
    with sources.opened(given, query) as source:
        if source.size is not None:
            tracking.check_size(source.size)
        return write(source, path)


def write(source: listing.Source, path: Path) -> Contents:
    """Make an archive of a source: an uncompressed tar of `label/name`, in the order of these paths.

    Its last member, `provenance.json`, tells where the photos come from. Only a part of one photo is in memory.

    Raises:
        DataError: the source cannot be read, gives a path twice or out of order, or fewer than two photos.
    """
    with (
        files.whole(path) as partial,
        tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar,
        tqdm(**_bar(source, path)) as bar,
    ):
        labels, size = _add_photos(source, tar, bar)
        contents = _counted(source.given, labels, size, source.passed_over)
        provenance = _provenance(source, contents)
        _add(tar, PROVENANCE, len(provenance), io.BytesIO(provenance))
    return contents


def look(path: Path) -> Contents:
    """Read what lies in an archive that is in its place already.

    Raises:
        DataError: the archive is missing, cannot be read, or holds fewer than two photos.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: put the archive there, or give another source.")
    labels: Counter[str] = Counter()
    size = 0
    for member in archive.members(path):
        labels[member.label] += 1
        size += member.size
    return _counted(str(path), labels, size)


def same(old: Path, new: Path) -> bool:
    """Whether two archives hold the same photos from the same source, whenever and with what versions it was read."""
    old_end, old_source = _origin(old)
    new_end, new_source = _origin(new)
    return new_source is not None and (old_end, old_source) == (new_end, new_source) and _same_until(new_end, old, new)


def _origin(path: Path) -> tuple[int, dict[str, Any] | None]:
    """Return where in an archive the photos end, and where they come from; None where that is not said."""
    try:
        with tarfile.open(path, "r:") as tar:
            last = None
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined] # tarfile would keep them all
                last = member
            file = tar.extractfile(last) if last and last.name == PROVENANCE else None
            value = json.load(file) if file else None
            return last.offset if last else 0, {k: v for k, v in value.items() if k not in _PASSING} if value else None
    except (tarfile.TarError, OSError, ValueError, AttributeError):  # it may be anyone's
        return 0, None


def _same_until(end: int, *paths: Path) -> bool:
    with ExitStack() as stack:
        one, other = (stack.enter_context(path.open("rb")) for path in paths)
        return all(one.read(size) == other.read(size) for size in _chunks(end))


def _chunks(size: int) -> Iterator[int]:
    return (min(_CHUNK, size - begin) for begin in range(0, size, _CHUNK))


def _add_photos(source: listing.Source, tar: tarfile.TarFile, bar: Any) -> tuple["Counter[str]", int]:
    labels: Counter[str] = Counter()
    size, last = 0, ""
    with closing(source.photos) as photos:
        for photo in photos:
            path = f"{photo.label}/{photo.name}"
            if path <= last:
                raise listing.refused(source.given, path, "comes twice, or out of order")
            _check_photo(source.given, path, photo)
            _add_photo(source.given, path, photo, tar)
            labels[photo.label] += 1
            size, last = size + photo.size, path
            bar.update(photo.size)
    return labels, size


def _check_photo(given: str, path: str, photo: listing.Photo) -> None:
    if not listing.is_label(photo.label):
        raise listing.refused(given, path, "has a label that is no name of a folder")
    if photo.label.lower() == EXCLUDED:
        raise listing.refused(given, path, f"has the label `{EXCLUDED}`, which {CORRECTIONS} gives to what is left out")
    if photo.size > MAX_BYTES:
        raise listing.refused(given, path, f"has {photo.size >> 20:,} MiB, and {MAX_BYTES >> 20} are the most")


def _add_photo(given: str, path: str, photo: listing.Photo, tar: tarfile.TarFile) -> None:
    try:
        _add(tar, path, photo.size, photo.file)
    except OSError as error:
        if error.errno:  # the disk's fault
            raise
        raise DataError(f"{given}: {path!r} is damaged, or changed while it was read ({error}).") from None


def _add(tar: tarfile.TarFile, path: str, size: int, file: IO[bytes]) -> None:
    """Append a file that belongs to nobody and was never made."""
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, 0o644
    tar.addfile(info, file)
    tar.members.clear()  # type: ignore[attr-defined] # tarfile would keep them all


def _counted(given: str, labels: "Counter[str]", size: int, passed_over: int = 0) -> Contents:
    if labels.total() < 2:
        what = "a single photo" if labels else "no photo"
        raise DataError(f"{given} holds {what}: a batch is photos in folders, one folder a label (`label/photo.jpg`).")
    return Contents(dict(sorted(labels.items())), size, passed_over)


def _provenance(source: listing.Source, contents: Contents) -> bytes:
    counts = {"photos": contents.photos, "bytes": contents.size, "labels": contents.labels}
    value = {"source": source.given, **source.provenance, **counts, "petpark": version("petpark")}
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _bar(source: listing.Source, path: Path) -> dict[str, Any]:
    return {
        "desc": path.stem,
        "total": source.size,
        "unit": "B",
        "unit_scale": True,
        "disable": None,
        "leave": False,
    }
