"""Addresses of databases, and what is said of those that refuse: one sentence, without a password."""

import sqlite3

import psycopg
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from petpark import databases
from petpark.errors import DataError

SECRET = "s3cret"
ADDRESS = f"postgresql://ann:{SECRET}@127.0.0.1:1/park?connect_timeout=1"


@pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_has_one_driver_whatever_it_is_called(kind: str) -> None:
    url = databases.parsed(f"{kind}://ann@db/park")
    assert url.drivername == "postgresql+psycopg"
    assert databases.is_postgresql(url)


def test_an_address_is_shown_without_password_driver_and_options() -> None:
    assert databases.shown(databases.parsed(ADDRESS)) == "postgresql://ann@127.0.0.1:1/park"
    assert databases.shown(databases.parsed("sqlite:///a/b.db")) == "sqlite:///a/b.db"


@pytest.mark.parametrize("given", ["", "park.db", "postgresql://db:port/park", f"postgresql://ann:{SECRET}@x@db/park"])
def test_what_is_no_address_is_refused_in_a_sentence(given: str) -> None:
    with pytest.raises(DataError) as error:
        databases.parsed(given)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None


def test_options_of_the_address_go_before_ours() -> None:
    url = databases.parsed(ADDRESS)
    engine = databases.engine(url, {"connect_timeout": 9, "keepalives_idle": 8}, poolclass=NullPool)
    _, options = engine.dialect.create_connect_args(url)
    assert options["connect_timeout"] == "1"
    with pytest.raises(OperationalError):
        engine.connect()


def test_a_kind_that_is_not_known_is_named() -> None:
    with pytest.raises(DataError, match="no database of the kind 'oak'"):
        databases.engine(databases.parsed(f"oak://ann:{SECRET}@db/park"), {})


def test_a_server_that_does_not_answer_is_told() -> None:
    url = databases.parsed(ADDRESS)
    with pytest.raises(DataError) as error, databases.told(url):
        databases.engine(url, {}, poolclass=NullPool).connect()
    sentence = str(error.value)
    assert sentence.startswith("postgresql://ann@127.0.0.1:1/park cannot be reached (")
    assert SECRET not in sentence
    assert "\n" not in sentence


def test_a_complaint_is_told_without_the_query_and_its_values() -> None:
    url = databases.parsed("sqlite://")
    engine = databases.engine(url, {})
    with pytest.raises(DataError) as error, databases.told(url), engine.connect() as connection:
        connection.execute(text("SELECT * FROM oaks WHERE secret = :it"), {"it": SECRET})
    assert str(error.value) == (
        "sqlite:// cannot be used (no such table: oaks): mend that, and run the same command again."
    )
    engine.dispose()


def test_what_the_driver_says_by_itself_is_told_too() -> None:
    with pytest.raises(DataError, match=r"cannot be used \(locked\)"), databases.told(databases.parsed("sqlite://")):
        raise sqlite3.OperationalError("locked")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProgrammingError("SELECT 1", {}, psycopg.ProgrammingError("one\n  two.")), "one two"),
        (ValueError("odd"), "odd"),
        (ValueError(), "ValueError"),
    ],
)
def test_why_is_one_line_and_never_empty(error: Exception, said: str) -> None:
    assert databases.why(error) == said
