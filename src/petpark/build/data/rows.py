"""Photos that a query names: a row a photo, with its label, and with the photo itself or where it lies."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from petpark import databases, files
from petpark.build.data import database, listing
from petpark.build.data.kept import AT_ONCE, Kept, fetch, now, opened
from petpark.errors import DataError

_EXAMPLE: Final = '`--query "SELECT label, photo FROM frames"`'
_BUCKET: Final = "s3://"
_BEGINNINGS: Final = {
    b"\xff\xd8": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


@contextmanager
def selected(given: str, query: str | None) -> Iterator[listing.Source]:
    """Fetch the photos of a query's rows.

    A row has the columns `label`, and `photo` (bytes) or `location` (a file here, or `s3://bucket/key`), and may have
    `name`; others are passed over. Without `name`, a photo is called by its SHA-256, or by its location.

    Raises:
        DataError: the database cannot be reached or refuses, stops in the middle, or a row is not as it must be.
        SetupError: its driver is not installed.
    """
    url = databases.parsed(given)
    shown = databases.shown(url)
    if query is None:
        raise DataError(f"{shown} is a database: say which photos with {_EXAMPLE}.")
    begun, reader = now(), _Reader(shown, kept(given, query))
    with database.connected(url) as connection:
        version = database.server_version(connection)
        with closing(database.rows(connection, query, sorted(reader.here))) as found:
            for row in tqdm(found, desc=f"fetch {shown}", unit=" rows", disable=None, leave=False):
                reader.read(row)
    photos = reader.photos()
    fetch(photos, f"fetch {shown}")
    provenance = {
        "kind": "sql",
        "query": query,
        **({"endpoint": reader.endpoint} if reader.endpoint else {}),
        "when": {"fetched": begun},
        "versions": {"database": version},
    }
    yield listing.of(shown, provenance, photos)


def kept(given: str, query: str) -> Kept:
    """What was fetched by this query before."""
    return Kept("sql", databases.shown(databases.parsed(given)), query)


class _Reader:
    """Makes photos of rows; those with the photo inside are kept at once."""

    def __init__(self, shown: str, kept: Kept) -> None:
        self.kept = kept
        self.here = kept.photos()
        self.endpoint = ""
        """Of the server of S3, if any photo lies there."""
        self._shown = shown
        self._rows = 0
        self._photos: list[listing.Entry] = []
        self._remote: list[tuple[str, str]] = []
        self._places: set[Path] = set()
        self._same: Counter[str] = Counter()

    def read(self, row: database.Row) -> None:
        """Take a row.

        Raises:
            DataError: it is not as it must be.
        """
        if not self._rows:
            _check_columns(self._shown, row)
        self._rows += 1
        label = self._text(row, "label")
        if not listing.is_label(label):
            raise self._wrong(f"has the label {label!r}, which is no name of a folder")
        name = self._text(row, "name") if "name" in row else ""
        if "photo" in row:
            self._take(label, name, self._stored(row))
            return
        location = self._text(row, "location")
        path = self._path(label, name or _plain(location))
        if location.startswith(_BUCKET):
            self._remote.append((path, location))
        else:
            self._photos.append(self._local(path, Path(location)))

    def photos(self) -> list[listing.Entry]:
        """Return all photos in the order of their paths.

        Raises:
            DataError: there was no row, a path comes twice, or a location in S3 cannot be looked up.
        """
        if not self._rows:
            raise DataError(f"{self._shown}: the query gives no row, so there is no photo; nothing was changed.")
        photos = listing.ordered(self._shown, [*self._photos, *(self._looked_up() if self._remote else ())])
        self.kept.only(self._places)
        return photos

    def _take(self, label: str, name: str, place: Path) -> None:
        """Take a photo that is kept under its SHA-256."""
        self._places.add(place)
        if not name:
            self._same[f"{label}/{place.name}"] += 1
            number = self._same[f"{label}/{place.name}"]
            name = place.name + (f"-{number}" if number > 1 else "") + _ending(place)
        self._photos.append(listing.Entry(self._path(label, name), place.stat().st_size, partial(opened, place)))

    def _stored(self, row: database.Row) -> Path:
        photo, digest = row["photo"], row.get(database.DIGEST)
        if photo is None and digest in self.here:  # so the database did not send it
            return self.kept.folder / str(digest)
        if photo is None:
            raise self._wrong("has no photo (NULL): leave such rows out with WHERE")
        if not isinstance(photo, bytes | bytearray | memoryview):
            raise self._wrong(f"has a photo that is no bytes but {_kind(photo)}; call a column of paths `location`")
        place = self.kept.folder / hashlib.sha256(photo).hexdigest()
        if place.name not in self.here:
            with files.whole(place) as partly:
                partly.write_bytes(photo)
            self.here.add(place.name)
        return place

    def _local(self, path: str, file: Path) -> listing.Entry:
        try:
            if file.is_file():
                return listing.Entry(path, file.stat().st_size, partial(opened, file))
        except (OSError, ValueError):  # a name that cannot be
            pass
        raise self._wrong(f"names the file {str(file)!r}, and there is none: a path counts from the current folder")

    def _looked_up(self) -> Iterator[listing.Entry]:
        from petpark.build.data.s3 import Server

        server = Server()
        self.endpoint = server.endpoint
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                objects = pool.map(server.look, (address for _, address in self._remote))
                for (path, _), it in zip(self._remote, objects, strict=True):
                    place, entry = self.kept.place(*it), server.entry(path, it, self.kept)
                    yield entry._replace(fetch=None) if place in self._places else entry
                    self._places.add(place)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _text(self, row: database.Row, column: str) -> str:
        value = row[column]
        if value is None or value == "":
            raise self._wrong(f"has no {column}: leave such rows out with WHERE, or give them one")
        if isinstance(value, bytes | bytearray | memoryview):
            raise self._wrong(f"has bytes for its {column}, which must be text")
        return str(value)

    def _path(self, label: str, name: str) -> str:
        path = listing.cleaned(self._shown, f"{label}/{name}")
        if "/" not in path:
            raise self._wrong(f"has the name {name!r}, which is none of a file")
        return path

    def _wrong(self, what: str) -> DataError:
        return DataError(f"{self._shown}: row {self._rows:,} of the query {what}. Nothing was changed.")


def _check_columns(shown: str, row: database.Row) -> None:
    if "label" in row and ("photo" in row) != ("location" in row):
        return
    names = ", ".join(name for name in row if name != database.DIGEST)
    raise DataError(
        f"{shown}: the query gives the columns {names}; it must give "
        "`label`, and either `photo` (bytes) or `location` (a file, or s3://BUCKET/KEY): rename by AS."
    )


def _plain(location: str) -> str:
    """Make a name of a location."""
    parts = location.removeprefix(_BUCKET).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def _ending(place: Path) -> str:
    with place.open("rb") as file:
        start = file.read(4)
    return next((ending for begin, ending in _BEGINNINGS.items() if start.startswith(begin)), "")


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else type(value).__name__
