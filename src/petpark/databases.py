"""Databases by their addresses, and why one refuses. A password gets into no sentence: addresses are shown without."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

from petpark.errors import DataError, SetupError

_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def parsed(given: str) -> URL:
    """Take a database's address apart.

    Raises:
        DataError: it is none.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise DataError(
            "the address of the database cannot be read: write it as sqlite:///FILE or postgresql://USER@HOST/NAME."
        ) from None
    if url.password is not None and given.count("@") > 1:  # the rest of it would be taken for the server's name
        raise DataError(
            "the address of the database holds more than one '@': write one in a user or password as '%40', or leave "
            "the password out and set PGPASSWORD."
        )
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def shown(url: URL) -> str:
    """Write an address for people: without password and options."""
    kind = "postgresql" if is_postgresql(url) else url.drivername
    return URL.create(kind, url.username, None, url.host, url.port, url.database).render_as_string()


def engine(url: URL, waits: dict[str, int], **options: Any) -> Engine:
    """Make what connects to a database; nothing is connected yet.

    Args:
        url: its address.
        waits: options of libpq, which would else wait for minutes or hours; those in the address go before them.
        options: of SQLAlchemy's `create_engine`.

    Raises:
        DataError: there is no such kind of database.
        SetupError: its driver is not installed.
    """
    if is_postgresql(url):
        options["connect_args"] = {key: value for key, value in waits.items() if key not in url.query}
    try:
        return create_engine(url, **options)
    except NoSuchModuleError:
        raise DataError(
            f"{shown(url)}: petpark knows no database of the kind {url.drivername!r}: write its address as "
            "sqlite:///FILE or postgresql://USER@HOST/NAME."
        ) from None
    except ModuleNotFoundError as error:
        raise SetupError(f"{shown(url)} needs the package {error.name!r}: install it into .venv.") from None


def unreachable(url: URL, error: Exception) -> DataError:
    """Say that a database cannot be connected to."""
    return DataError(
        f"{shown(url)} cannot be reached ({why(error)}): see whether the server runs, and whether address, user "
        "and password are right."
    )


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Say in a sentence what a database complains of in a block.

    Raises:
        DataError: it does.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:  # SQLite's own where a connection is set up
        if is_postgresql(url) and isinstance(error, OperationalError):
            raise unreachable(url, error) from None
        raise DataError(
            f"{shown(url)} cannot be used ({why(error)}): mend that, and run the same command again."
        ) from None


def is_postgresql(url: URL) -> bool:
    """Whether an address that was `parsed` is one of PostgreSQL."""
    return url.drivername == _DRIVERS["postgresql"]


def why(error: Exception) -> str:
    """What the driver says, in one line, without the query and its values."""
    cause = getattr(error, "orig", None) or error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    return " ".join((primary or str(cause) or type(cause).__name__).split()).rstrip(".")
