"""Whatever happens to the database or the process: predictions go on, and the log loses what it says, no more."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from petpark.predictionlog.rows import moment
from petpark.predictionlog.writer import Writer
from tests.predictionlog.conftest import Open
from tests.predictionlog.made import MODEL, VERSION, Log, ids, row, rows, until
from tests.services import PostgreSQL, Wire

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}


def start(log: Log, count: int, *more: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.predictionlog.putting", log.url, *map(str, (count, *more))]
    return subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, stdout=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]") -> tuple[list[str], dict[str, Any]]:
    """Wait until it ends; return the ids that it put, and what it counted."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    *put, counts = said.splitlines()
    return put, json.loads(counts)


def whole(log: Log) -> bool:
    return log.ask("PRAGMA integrity_check") == [("ok",)] if log.url.startswith("sqlite") else True


def settled(writer: Writer) -> None:
    """Wait until it has opened the database, and written what it had."""
    until(lambda: writer._forget_at and not writer.waiting)


# Killed


def test_after_kill_9_at_most_a_second_is_missing_and_nothing_is_corrupt(log: Log) -> None:
    before: set[str] = set()
    for _ in range(2):  # the second one finds what the first one left
        with start(log, 100_000) as process:
            assert process.stdout is not None
            put = [process.stdout.readline().strip()]
            while (moment(put[-1]) - moment(put[0])).total_seconds() < 2.2:
                put.append(process.stdout.readline().strip())
            process.kill()
            put += process.stdout.read().split()
        assert len(put[-1]) == 36
        found = {*log.ids()}
        lost = [each for each in put if each not in found]
        assert lost == put[len(put) - len(lost) :], "only the last ones"
        assert not lost or (moment(put[-1]) - moment(lost[0])).total_seconds() < 1
        assert len(put) - len(lost) > 100
        assert whole(log)
        assert before < found
        before = found
        assert log.ask("SELECT COUNT(*) FROM predictions WHERE length(probabilities) != 12") == [(0,)]


def test_the_end_of_a_process_that_is_not_killed_loses_nothing(log: Log) -> None:
    put, counts = ended(start(log, 300))
    assert log.ids() == sorted(put)
    assert counts["written"] == 300


# Gone, and back


def test_a_database_that_goes_and_comes_back_loses_nothing_that_there_was_room_for(
    postgresql: PostgreSQL, postgres: Log, writers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    writer = writers(postgres)
    writer.register(VERSION)
    put = rows(400)
    with caplog.at_level(logging.WARNING):
        for each in put[:100]:
            writer.put(each)
        settled(writer)
        postgresql.kill()
        for each in put[100:300]:
            writer.put(each)
        until(lambda: writer.failing)
        assert "tester@127.0.0.1" in str(writer.failing)
        assert writer.waiting == 200
        postgresql.start()
        for each in put[300:]:
            writer.put(each)
        settled(writer)
    assert writer.failing is None
    assert postgres.ids() == ids(put)
    assert (writer.written, writer.dropped) == (400, 0)
    assert [record.getMessage().partition(": ")[2].split(";")[-1] for record in caplog.records] == [
        " predictions go on, and rows of the prediction log wait",
        " 0 rows were dropped",
    ]


def test_a_database_that_is_not_there_yet_is_written_when_it_comes(
    postgresql: PostgreSQL, postgres: Log, writers: Open
) -> None:
    postgresql.stop()
    try:
        began = time.monotonic()
        writer = writers(postgres, capacity=50)
        put = rows(120)
        for each in put:
            writer.put(each)
        assert time.monotonic() - began < 1
        until(lambda: writer.failing)
        assert (writer.written, writer.waiting, writer.dropped) == (0, 50, 70)
    finally:
        postgresql.start()
    settled(writer)
    assert postgres.ids() == ids(put)[-50:], "the newest"
    assert (writer.written, writer.dropped) == (50, 70)


def test_nothing_that_is_said_of_a_lost_database_holds_its_password(
    postgresql: PostgreSQL, writers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = postgresql.address(password="s3cr:et/%")
    with caplog.at_level(logging.DEBUG):
        for url in (wrong, postgresql.address("nowhere"), postgresql.address(port=1)):
            writer = writers(url)
            writer.put(row())
            until(lambda writer=writer: writer.failing)  # type: ignore[misc] # the loop's
            writer.close()
            said = f"{writer.failing}\n{caplog.text}"
            assert "postgresql://tester@127.0.0.1" in said
            for secret in ("s3cr", PostgreSQL.PASSWORD, "p%40ss"):
                assert secret not in said


def test_pauses_grow_between_attempts_and_end_at_ten_seconds(
    postgresql: PostgreSQL, writers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writers(postgresql.address("nowhere"), interval=60)
    until(lambda: writer.failing)
    pauses = [writer._failed(ValueError()) for _ in range(8)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]
    writer._recovered()
    assert (writer.failing, writer._failed(ValueError())) == (None, 0.5)


def test_a_file_that_is_deleted_or_replaced_is_made_anew(tmp_path: Path, lite: Log, writers: Open) -> None:
    writer = writers(lite)
    writer.register(VERSION)
    writer.put(row())
    settled(writer)
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    put = rows(10)
    for each in put:
        writer.put(each)
    until(lambda: writer.written == 11)
    assert (tmp_path / "log.db").exists()
    assert lite.ids() == ids(put)
    assert lite.ask("SELECT version, model FROM versions") == [("1.2.0", MODEL)], "the new file knows it, too"


# An answer that gets lost


class Hangup:
    """Meddles with a wire: hangs up instead of passing on the answer to a COMMIT, some times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, data: bytes) -> bytes | None:
        if b"COMMIT\0" in data and b"INSERT" in data + self.seen and self.left:
            self.left -= 1
            return None
        self.seen = data
        return data

    seen = b""


def test_rows_whose_commit_was_never_answered_are_there_once(
    postgresql: PostgreSQL, postgres: Log, writers: Open
) -> None:
    first = writers(postgres)
    settled(first)  # the tables are there
    hangup = Hangup(1)
    wire = Wire(postgresql.port, hangup)
    writer = writers(postgresql.address(port=wire.port), interval=60)
    writer.register(VERSION)
    put = rows(30)
    for each in put:
        writer.put(each)
    writer.feedback(put[0].id, "oak", "page")
    writer._stop.set()  # it writes what waits, and this fails ...
    until(lambda: writer.failing)
    assert hangup.left == 0
    assert postgres.ids() == ids(put), "... but for the answer"
    assert (writer.written, writer.waiting) == (0, 31)
    writer._round()
    writer._sink.close()
    wire.close()
    assert (writer.written, writer.waiting, writer.dropped, writer.failing) == (31, 0, 0, None)
    assert postgres.ids() == ids(put)
    assert postgres.ask("SELECT COUNT(*) FROM feedback") == [(1,)]


# Full


def test_on_a_full_disk_predictions_go_on_and_are_written_when_there_is_room(lite: Log) -> None:
    put, counts = ended(start(lite, 1_500, 200_000))
    assert str(counts["failed"]).startswith("sqlite:///")
    assert counts["slowest"] < 0.05
    assert (counts["written"], counts["dropped"]) == (1_500, 0)
    assert lite.ids() == sorted(put)
    assert whole(lite)


@pytest.fixture
def pages() -> Iterator[Callable[[int], None]]:
    """Set how many pages a file of SQLite may have, for connections from then on."""
    allowed = [1 << 30]

    def limit(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute(f"PRAGMA max_page_count = {allowed[0]}")

    event.listen(Engine, "connect", limit)
    yield lambda count: allowed.insert(0, count)
    event.remove(Engine, "connect", limit)


def test_a_full_database_drops_the_oldest_and_says_that_it_is_full(
    lite: Log, writers: Open, pages: Callable[[int], None]
) -> None:
    pages(40)
    writer = writers(lite, capacity=300)
    put = rows(100)
    for each in put[:10]:
        writer.put(each)
    settled(writer)
    for each in put[10:]:
        writer.put(each._replace(embedding=bytes(8192)))
    until(lambda: writer.failing)
    assert "full" in str(writer.failing)
    more = rows(400)
    for each in more:
        writer.put(each)
    assert writer.dropped >= 100
    pages(1 << 20)
    settled(writer)
    assert lite.ids()[-300:] == ids(more)[-300:]
    assert len(lite.ids()) + writer.dropped == 500
    assert writer.written == len(lite.ids())


# Slow


def put_while(writer: Writer, count: int) -> list[str]:
    """Put some; it takes no longer for the state that the database is in."""
    made = rows(count)
    began = time.thread_time()
    for each in made:
        writer.put(each)
    assert (time.thread_time() - began) / count < 0.000_1
    return ids(made)


def test_a_database_that_another_one_holds_is_waited_for_in_the_background(log: Log, writers: Open) -> None:
    writer = writers(log)
    settled(writer)
    with log._engine.connect() as other:
        if log.url.startswith("sqlite"):
            other.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            other.exec_driver_sql("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        put = put_while(writer, 2_000)
        time.sleep(0.3)
        assert writer.waiting == 2_000
        other.rollback()
    settled(writer)
    assert log.ids() == put


def test_a_lock_that_lasts_is_told_and_outlasted(lite: Log, writers: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("petpark.predictionlog.database._BUSY", 0.3)
    writer = writers(lite)
    settled(writer)
    with lite._engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        put = put_while(writer, 10)
        until(lambda: writer.failing)
        assert "locked" in str(writer.failing)
        other.rollback()
    settled(writer)
    assert (lite.ids(), writer.failing) == (put, None)


def test_a_server_that_falls_silent_is_noticed_and_what_waits_is_bounded(
    postgresql: PostgreSQL, postgres: Log, writers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("petpark.predictionlog.writer._PATIENCE", 0.5)
    speaks = threading.Event()
    speaks.set()

    def meddle(data: bytes) -> bytes:
        speaks.wait()
        return data

    wire = Wire(postgresql.port, meddle)
    writer = writers(postgresql.address(port=wire.port), capacity=500)
    settled(writer)
    speaks.clear()
    writer.put(row())
    until(lambda: writer._begun)
    put_while(writer, 2_000)
    until(lambda: writer.failing)
    assert "no answer" in str(writer.failing)
    assert (writer.waiting, writer.dropped) == (501, 1_500)
    began = time.monotonic()
    writer.close(0.3)
    assert time.monotonic() - began < 1
    assert writer.dropped == 2_001
    speaks.set()
    wire.close()


# Several


def test_two_processes_write_into_one_database(log: Log) -> None:
    processes = [start(log, 400) for _ in range(2)]
    done = [ended(process) for process in processes]
    assert log.ids() == sorted([*done[0][0], *done[1][0]])
    assert [(counts["written"], counts["dropped"]) for _, counts in done] == [(400, 0)] * 2
    assert whole(log)


def test_who_reads_neither_waits_nor_is_waited_for(log: Log, writers: Open) -> None:
    writer = writers(log)
    put = put_while(writer, 100)
    settled(writer)
    with log._engine.connect() as reader:
        reading = reader.exec_driver_sql("SELECT id FROM predictions ORDER BY id")
        first = reading.fetchone()
        put += put_while(writer, 100)
        settled(writer)
        assert [first, *reading] == [(each,) for each in put[:100]]
    assert log.ids() == put
