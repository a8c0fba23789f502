"""Brings the tables of a database up to what this release writes; alembic is imported only where there is work.

Revisions only add. So a release writes into whatever a later one made of the tables, and leaves a revision that it does
not know alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, inspect, text

from petpark import databases
from petpark.errors import DataError
from petpark.predictionlog import database

REVISIONS: Final = ("0001",)
"""All that this release knows, the oldest first."""
TABLE: Final = "prediction_log_revision"
FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x7065747061726B  # "petpark": whoever migrates holds this lock of PostgreSQL


def revision(connection: Connection) -> str | None:
    """Return the revision of a database's tables; None where there are none."""
    if not inspect(connection).has_table(TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {TABLE}")).scalar()  # noqa: S608 - a constant
    return found


def bring_up(engine: Engine, folder: Path = FOLDER, known: Sequence[str] = REVISIONS) -> tuple[str | None, str | None]:
    """Bring the tables up to the newest revision of this release, all or nothing; one process at a time does it.

    Args:
        engine: from `database.to_write`.
        folder: with the revisions.
        known: the revisions that are in it, the oldest first.

    Returns:
        the revision before, and after.
    """
    if engine.dialect.name == "sqlite":
        _log_ahead(engine)
    with engine.begin() as connection:
        if databases.is_postgresql(engine.url):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # what migrates may take long
        before = revision(connection)
        if before is None or before in known[:-1]:
            _upgrade(connection, folder)
        return before, revision(connection)


def migrate(url: URL) -> str:
    """Bring the tables of a log up to date, and say in a sentence what was done.

    Args:
        url: from `database.address`.

    Raises:
        DataError: the database cannot be reached, or refuses.
        SetupError: it cannot be written.
    """
    engine = database.to_write(url)
    try:
        with databases.told(url):
            before, after = bring_up(engine)
    finally:
        engine.dispose()
    if before not in (None, *REVISIONS):
        return f"{databases.shown(url)}: left as it is, at revision {before} of a later release; this one can use it."
    was = "new" if before is None else f"was at {before}"
    return f"{databases.shown(url)}: at revision {after} ({'nothing to do' if before == after else was})"


def check(connection: Connection) -> None:
    """Look whether a database holds a log that this release can read.

    Raises:
        DataError: it does not.
    """
    found, shown = revision(connection), databases.shown(connection.engine.url)
    if found is None:
        raise DataError(f"{shown} holds no prediction log: see whether this is the database that the service writes.")
    if found in REVISIONS[:-1]:
        raise DataError(f"{shown} is as an older release left it: run `petpark predictions migrate` first.")


def _log_ahead(engine: Engine) -> None:
    """Let SQLite keep a log of its own (WAL): readers and a writer go on side by side."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _upgrade(connection: Connection, folder: Path) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(folder))

    def to_newest(revision: Any, _: object) -> Any:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - what every env.py calls by alembic's command

    with EnvironmentContext(Config(), script, fn=to_newest) as environment:
        environment.configure(connection=connection, version_table=TABLE)
        environment.run_migrations()
