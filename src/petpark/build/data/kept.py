"""What was fetched is kept until its batch is made: an interrupted `petpark data add` goes on where it was."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from tqdm import tqdm

from petpark import files, layout
from petpark.build.data import listing

AT_ONCE: Final = 16  # files that are fetched at the same time

_FOLDER: Final = layout.SCRATCH / "fetched"


class Kept:
    """Files fetched from one source, each under a name that tells its version: what changed has another one."""

    def __init__(self, *source: str) -> None:
        """Begin, or go on, with a source that these words tell from all others."""
        self.folder = _FOLDER / _digest(source)

    def place(self, *version: object) -> Path:
        """Where one version of one file has its place."""
        return self.folder / _digest(map(str, version))

    def photos(self) -> set[str]:
        """Return the names of files that are called by the SHA-256 of their content, and still hold it."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return {path.name for path in found if files.sha256(path) == path.name}

    def only(self, places: Collection[Path]) -> None:
        """Remove everything else: old versions, and what was half written when a process was killed."""
        for path in list(self.folder.iterdir()) if self.folder.is_dir() else ():
            if path not in places:
                files.remove(path)

    def remove(self) -> None:
        """Remove everything."""
        files.remove(self.folder)


def opened(place: Path) -> IO[bytes]:
    """Open a file that was fetched."""
    return place.open("rb")


def fetch(photos: Sequence[listing.Entry], what: str) -> None:
    """Bring photos here, several at once; what is here already is not fetched again.

    Raises:
        DataError: a photo cannot be fetched; the others that came stay.
    """
    missing = [(photo.fetch, photo.size) for photo in photos if photo.fetch]
    total = sum(size for _, size in missing)
    bar = tqdm(desc=what, total=total, unit="B", unit_scale=True, disable=None, leave=False)
    with bar, ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = {pool.submit(each): size for each, size in missing}
        try:
            for task in as_completed(tasks):
                task.result()
                bar.update(tasks[task])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def now() -> str:
    """Return the time as provenance has it."""
    return time(datetime.now(UTC))


def time(moment: datetime) -> str:
    """Write a moment as provenance has it: in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _digest(words: Iterable[str]) -> str:
    """Hash words so that no two lists of words have the same hash."""
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
