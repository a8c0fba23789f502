"""A log in a real database, and rows for it."""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import NullPool, create_engine

from petpark import databases
from petpark.predictionlog.rows import Logged, Version, packed, prediction_id

LABELS: Final = ("fern", "moss", "oak")
MODEL: Final = "e" * 64
VERSION: Final = Version("1.2.0", MODEL, LABELS, 0.7, "c" * 40, "d" * 32)
PROBABILITIES: Final = (0.1, 0.7, 0.2)


class Log:
    """The database of a log, seen from outside."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.address = databases.parsed(url)
        self._engine = create_engine(self.address, poolclass=NullPool)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask for rows."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def run(self, statement: str) -> None:
        """Change something."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def ids(self) -> list[str]:
        """The ids of all predictions, the oldest first."""
        return [found for (found,) in self.ask("SELECT id FROM predictions ORDER BY id")]


def row(number: int = 0, **changes: Any) -> Logged:
    """A prediction of now."""
    made = Logged(
        id=prediction_id(),
        version=VERSION.version,
        model=MODEL,
        source="api",
        image=hashlib.sha256(str(number).encode()).hexdigest(),
        label="moss",
        confidence=0.7,
        unsure=number % 2 == 1,
        probabilities=packed(PROBABILITIES),
        embedding=packed([number, -1.5]),
        width=640,
        height=480,
        format="JPEG",
        bytes=51_234,
        brightness=0.5,
        contrast=0.25,
        saturation=0.3,
        latency_ms=12.5,
    )
    return made._replace(**changes)


def rows(count: int) -> list[Logged]:
    """Some predictions."""
    return [row(number) for number in range(count)]


def ids(found: Sequence[Logged]) -> list[str]:
    """The ids of rows, in order."""
    return sorted(each.id for each in found)


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never did"
        time.sleep(0.02)
