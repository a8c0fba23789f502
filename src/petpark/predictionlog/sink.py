"""Writes batches into the database, each in one transaction; a batch that is written again is in it once."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import URL, Connection, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError as RefusedError
from sqlalchemy.exc import IntegrityError

from petpark import databases
from petpark.predictionlog import database, schema
from petpark.predictionlog.rows import Feedback, Logged, Photo, Version, first_id, moment
from petpark.predictionlog.tables import FEEDBACK, PHOTOS, PREDICTIONS, VERSIONS

_REFUSED: Final = (RefusedError, IntegrityError, ValueError, TypeError, OverflowError)
"""What is the fault of a row, and no better at the next try: a NUL in a text, say."""
_AT_ONCE: Final = 50  # photos that are deleted in one transaction


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one transaction."""

    predictions: Sequence[Logged] = ()
    feedback: Sequence[Feedback] = ()
    photos: Sequence[Photo] = ()

    def __len__(self) -> int:
        return len(self.predictions) + len(self.feedback)

    def __bool__(self) -> bool:
        return bool(self.predictions or self.feedback or self.photos)

    def single(self) -> "Iterator[Batch]":
        """Yield a batch for each of its rows."""
        yield from (Batch(predictions=[row]) for row in self.predictions)
        yield from (Batch(feedback=[row]) for row in self.feedback)
        yield from (Batch(photos=[row]) for row in self.photos)


class Sink:
    """A database that batches are written into; for one thread.

    Args:
        url: from `database.address`.

    Raises:
        DataError, SetupError: it cannot be written, whatever its server does; see `database.to_write`.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._file = database.path(url)
        self._engine = database.to_write(url)
        self._inserts = {table: self._insert(table) for table in (VERSIONS, PREDICTIONS, FEEDBACK, PHOTOS)}
        self._known: set[Version] = set()
        self._opened: object = None

    def open(self) -> None:
        """Connect and migrate, where that is not done or the file is another one by now.

        Raises:
            SQLAlchemyError: the database cannot be reached, or refuses.
        """
        if self._opened is None or self._opened != self._identity():
            self.close()
            schema.bring_up(self._engine)
            self._opened = self._identity()

    def write(self, batch: Batch, versions: tuple[Version, ...]) -> int:
        """Write a batch, and the versions that it may speak of.

        Returns:
            how many rows the database refuses, whenever they come; all others are written.

        Raises:
            SQLAlchemyError: nothing, or only a part, is written; write it again.
        """
        try:
            self._write(batch, versions)
        except _REFUSED:
            return sum(self._refused(single) for single in batch.single())
        return 0

    def forget(self, before: datetime) -> bool:
        """Delete some of the photos of before a moment.

        Returns:
            whether there may be more.
        """
        old = select(PHOTOS.c.prediction_id).where(PHOTOS.c.prediction_id < first_id(before)).limit(_AT_ONCE)
        with self._engine.begin() as connection:
            return connection.execute(delete(PHOTOS).where(PHOTOS.c.prediction_id.in_(old))).rowcount == _AT_ONCE

    def close(self) -> None:
        """Hang up."""
        self._opened = None
        self._known.clear()
        self._engine.dispose()

    def _write(self, batch: Batch, versions: tuple[Version, ...]) -> None:
        new = [version for version in versions if version not in self._known]
        with self._engine.begin() as connection:
            self._add(connection, VERSIONS, [_version(each) for each in new])
            self._add(connection, PREDICTIONS, [(row.id, self._time(row.id), *row[1:]) for row in batch.predictions])
            self._add(connection, FEEDBACK, [(row.id, self._time(row.id), *row[1:]) for row in batch.feedback])
            self._add(connection, PHOTOS, [(row[0], self._time(row[0]), row[1]) for row in batch.photos])
        self._known.update(new)

    def _refused(self, single: Batch) -> bool:
        try:
            self._write(single, ())
        except _REFUSED:
            return True
        return False

    def _add(self, connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            connection.exec_driver_sql(self._inserts[table], rows)  # as they are: SQLAlchemy would look at each value

    def _time(self, row_id: str) -> datetime | str:
        return database.stored(moment(row_id), self._url)

    def _insert(self, table: Table) -> str:
        """An INSERT of the columns in their order, which passes over what is there by its key."""
        dialect = postgresql if databases.is_postgresql(self._url) else sqlite
        return str(dialect.insert(table).on_conflict_do_nothing().compile(dialect=self._engine.dialect))

    def _identity(self) -> object:
        """What is another one when SQLite's file was deleted or replaced: it would be written to for nobody."""
        if self._file is None:
            return True
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _version(version: Version) -> tuple[Any, ...]:
    return (version.version, version.model, json.dumps(version.labels, ensure_ascii=False), *version[3:])
