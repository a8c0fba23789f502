"""Logs in SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from petpark.predictionlog.writer import Writer
from tests.predictionlog.made import Log
from tests.services import PostgreSQL

Open = Callable[..., Writer]


@pytest.fixture
def lite(tmp_path: Path) -> Log:
    """A log in SQLite, with nothing in it."""
    return Log(f"sqlite:///{tmp_path / 'log.db'}")


@pytest.fixture
def postgres(database: PostgreSQL) -> Log:
    """A log in PostgreSQL, with nothing in it."""
    return Log(database.address())


@pytest.fixture(params=["lite", "postgres"])
def log(request: pytest.FixtureRequest) -> Log:
    """A log in each kind of database, with nothing in it."""
    found: Log = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def writers() -> Iterator[Open]:
    """Open writers that end with the test."""
    opened: list[Writer] = []

    def opens(log: Log | str, **options: Any) -> Writer:
        url = log if isinstance(log, str) else log.url
        opened.append(Writer(url, **{"interval": 0.05, **options}))
        return opened[-1]

    yield opens
    for writer in opened:
        writer.close(2)
