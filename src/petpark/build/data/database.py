"""A query to a database, row by row."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from petpark import databases
from petpark.databases import is_postgresql, shown, why
from petpark.errors import DataError

Row = Mapping[str, Any]
"""A row of a query, by the names of its columns in small letters."""

_BUFFER: Final = 8  # rows that are in memory at the same time
_WAITS: Final = {  # seconds, for libpq, which would wait for minutes or hours
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_COLUMNS: Final = """
SELECT * FROM (
{query}
) AS given LIMIT 0
"""
DIGEST: Final = "petpark_digest"  # the column that `rows` adds
_COUNT: Final = ("label", "name", "photo", DIGEST)  # the columns that count
_GOES_ON: Final = """
SELECT {columns}, petpark_digest, CASE WHEN petpark_digest = ANY(%(known)s) THEN NULL ELSE photo END AS photo
FROM (SELECT *, encode(sha256(photo), 'hex') AS petpark_digest FROM (
{query}
) AS given) AS hashed
"""


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """Connect to a database, to read only.

    Raises:
        DataError: it cannot be reached, or refuses.
        SetupError: its driver is not installed.
    """
    _check_file(url)
    engine = databases.engine(url, _WAITS, poolclass=NullPool)
    try:
        connection = engine.connect()
    except (SQLAlchemyError, TypeError, ValueError) as error:  # also of options that the driver does not know
        raise databases.unreachable(url, error) from None
    with connection:
        yield connection


def rows(connection: Connection, query: str, known: Sequence[str] = ()) -> Generator[Row]:
    """Ask for rows, and yield them as they come.

    Args:
        connection: to the database.
        query: a SELECT.
        known: SHA-256 of photos that are here. On PostgreSQL they are not sent again: `photo` is None then, and
            the column DIGEST tells which it is.

    Raises:
        DataError: the database refuses, or stops answering.
    """
    url = connection.engine.url
    read_only = {"postgresql_readonly": True} if is_postgresql(url) else {}
    connection = connection.execution_options(
        stream_results=True, max_row_buffer=_BUFFER, no_parameters=True, **read_only
    )
    try:
        if url.get_backend_name() == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        text, values = _going_on(connection, query, known) if known and is_postgresql(url) else (query, None)
        with connection.exec_driver_sql(text, values) as result:
            if not result.returns_rows:
                raise DataError(f"{shown(url)}: the query gives no rows; it must be a SELECT.")
            names = [name.lower() for name in result.keys()]  # noqa: SIM118 - a method, and no mapping's
            for row in result:
                yield dict(zip(names, row, strict=True))
    except SQLAlchemyError as error:
        raise _stopped(url, error) from None


def server_version(connection: Connection) -> str:
    """Return what the database is, and its version."""
    version = getattr(connection.dialect, "server_version_info", None) or ()
    return " ".join([connection.dialect.name, ".".join(map(str, version))]).rstrip()


def _going_on(connection: Connection, query: str, known: Sequence[str]) -> tuple[str, dict[str, Any] | None]:
    """Wrap a query so that the photos that are here stay there."""
    inner = query.strip().rstrip(";")
    with connection.exec_driver_sql(_COLUMNS.format(query=inner)) as result:
        names = [name for name in result.keys() if name.lower() in _COUNT]  # noqa: SIM118 - a method
    if "photo" not in names or len(set(names)) < len(names) or not set(names) <= set(_COUNT[:-1]):
        return query, None  # quoted names, one that comes twice, or DIGEST itself
    others = [name for name in names if name != "photo"]
    text = _GOES_ON.format(columns=", ".join(others) or "1", query=inner.replace("%", "%%"))
    return text, {"known": list(known)}


def _check_file(url: URL) -> None:
    """SQLite would make a database where there is none."""
    path = url.database or ""
    if url.get_backend_name() == "sqlite" and not path.startswith("file:") and not Path(path).is_file():
        raise DataError(f"{shown(url)}: there is no file {path!r}; write sqlite:///FILE, or sqlite:////FOLDER/FILE.")


def _stopped(url: URL, error: SQLAlchemyError) -> DataError:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return DataError(
            f"{shown(url)}: the connection was lost ({why(error)}). What came is kept: run the same command again "
            "when the server is back."
        )
    return DataError(f"{shown(url)}: the database refuses the query ({why(error)}). Nothing was changed.")
