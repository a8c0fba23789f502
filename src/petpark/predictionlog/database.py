"""The database that holds the log: its address, and how it is connected to."""

import os
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection as SQLite
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, event

from petpark import databases
from petpark.errors import DataError, SetupError

VARIABLE: Final = "PETPARK_LOG"
DEFAULT_URL: Final = "sqlite:///state/predictions.db"

_WAITS: Final = {  # seconds, then milliseconds; who waits longer has no database
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_LIMITS: Final = "SET LOCAL statement_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '10s'"
_BUSY: Final = 3  # seconds that SQLite waits for another writer


def address(given: str | None = None) -> URL:
    """Take the address of the log apart: the one given, or that of PETPARK_LOG, or DEFAULT_URL.

    Raises:
        DataError: it is none, or not one of SQLite or PostgreSQL.
    """
    text = os.environ.get(VARIABLE, DEFAULT_URL) if given is None else given
    if not text:
        raise DataError(f"there is no prediction log, for {VARIABLE} is empty: name a database, as in {DEFAULT_URL}.")
    url = databases.parsed(text)
    if not databases.is_postgresql(url) and url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise DataError(
            f"{databases.shown(url)}: the prediction log lies in SQLite or PostgreSQL: write its address as "
            "sqlite:///FILE or postgresql://USER@HOST/NAME."
        )
    if path(url) == Path(":memory:"):
        raise DataError(f"{databases.shown(url)}: the prediction log needs a file: write sqlite:///FILE.")
    return url


def path(url: URL) -> Path | None:
    """Return the file of a database of SQLite."""
    return None if databases.is_postgresql(url) else Path((url.database or ":memory:").removeprefix("file:"))


def to_write(url: URL) -> Engine:
    """Make what the log is written by: one connection, whose every transaction is one that writes.

    Raises:
        DataError: of SQLite, its file is none that could be a database.
        SetupError: the folder of the file cannot be written; or a driver is not installed.
    """
    file = path(url)
    if file is not None:
        _check_folder(url, file)
    engine = _engine(url)
    event.listen(engine, "begin", _begin_to_write)
    return engine


def to_read(url: URL) -> Engine:
    """Make what the log is read by; a writer goes on meanwhile.

    Raises:
        DataError: of SQLite, there is no such file.
        SetupError: a driver is not installed.
    """
    file = path(url)
    if file is not None and not file.is_file():
        raise DataError(f"{databases.shown(url)}: there is no file {str(file)!r}, and so no prediction log.")
    engine = _engine(url)
    event.listen(engine, "begin", _begin_to_read)
    return engine


def stored(moment: datetime, url: URL) -> datetime | str:
    """Write a moment as the driver takes it, and as SQLAlchemy reads it.

    Args:
        moment: in UTC.
        url: of the database.
    """
    return moment if databases.is_postgresql(url) else moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _engine(url: URL) -> Engine:
    options: dict[str, Any] = {"paramstyle": "format"} if databases.is_postgresql(url) else {}
    options |= {} if options else {"connect_args": {"timeout": _BUSY, "check_same_thread": False}}
    engine = databases.engine(url, _WAITS, pool_size=1, max_overflow=0, hide_parameters=True, **options)
    event.listen(engine, "connect", _connected)
    return engine


def _connected(connection: object, _: object) -> None:
    if isinstance(connection, SQLite):
        connection.isolation_level = None  # transactions begin where we say so, and hold CREATE TABLE too
        connection.execute("PRAGMA secure_delete = ON")  # photos that are deleted are gone
        connection.execute("PRAGMA synchronous = NORMAL")


def _begin_to_write(connection: Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else _LIMITS)


def _begin_to_read(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")


def _check_folder(url: URL, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # the second of names that cannot be
        raise _unwritable(url, file.parent, getattr(error, "strerror", None) or str(error)) from None
    for each in (file.parent, file):
        if each.exists() and not os.access(each, os.W_OK):
            raise _unwritable(url, each, "no right to write")
    if file.exists() and not file.is_file():
        raise DataError(f"{databases.shown(url)}: {file} is no file, and so no database: name another one.")


def _unwritable(url: URL, what: Path, reason: str) -> SetupError:
    return SetupError(
        f"{databases.shown(url)}: {what} cannot be written ({reason}): make it writable, or name another database by "
        f"{VARIABLE}."
    )
