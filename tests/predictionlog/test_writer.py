"""What is put is in the database soon, once, and exactly; photos only where they are asked for."""

import json
import logging
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from petpark.errors import DataError, PetparkError, SetupError
from petpark.predictionlog import rows as rows_module
from petpark.predictionlog.rows import first_id, moment, prediction_id
from petpark.predictionlog.writer import Writer
from tests.predictionlog.conftest import Open
from tests.predictionlog.made import LABELS, MODEL, PROBABILITIES, VERSION, Log, ids, row, rows, until
from tests.services import PostgreSQL


def test_a_prediction_is_in_the_database_as_it_was_put(log: Log, writers: Open) -> None:
    put = row(3, unsure=True, source="camera-7", label="мох")
    writer = writers(log)
    writer.put(put)
    until(lambda: writer.written == 1)
    (found,) = log.ask("SELECT * FROM predictions")
    assert found[0] == put.id
    assert found[8] == put.unsure, "1 in SQLite"
    assert [*found[2:8], *found[9:]] == pytest.approx([*put[1:7], *put[8:]])
    assert struct.unpack("<3f", put.probabilities) == pytest.approx(PROBABILITIES)


def test_the_time_is_that_of_the_id_in_utc_and_can_be_asked_for(log: Log, writers: Open) -> None:
    old = row(id=first_id(datetime(2026, 3, 1, 23, 59, 59, 999_000, UTC)))
    writer = writers(log)
    writer.put(old)
    writer.put(row())
    until(lambda: writer.written == 2)
    ((found,),) = log.ask("SELECT time FROM predictions WHERE time < '2026-03-02'")
    if isinstance(found, datetime):
        assert found == moment(old.id)
    else:
        assert found == "2026-03-01 23:59:59.999000"
        assert log.ask("SELECT strftime('%s', time) FROM predictions WHERE time < '2026-03-02'") == [("1772409599",)]


def test_rows_are_there_within_the_interval(log: Log, writers: Open) -> None:
    writer = writers(log, interval=0.2)
    until(lambda: writer._forget_at)  # it has opened the database
    for number in range(5):
        writer.put(row(number))
        began = time.monotonic()
        until(lambda: not writer.waiting)
        assert time.monotonic() - began < 2


def test_counters_tell_what_was_written_and_what_waits(log: Log, writers: Open) -> None:
    writer = writers(log, interval=60)
    until(lambda: writer._forget_at)
    for each in rows(7):
        writer.put(each)
    writer.feedback(prediction_id(), "oak", "page")
    assert (writer.waiting, writer.written, writer.dropped, writer.failing) == (8, 0, 0, None)
    writer.close()
    assert (writer.waiting, writer.written, writer.dropped, writer.failing) == (0, 8, 0, None)
    assert len(log.ids()) == 7


def test_more_than_a_batch_is_written_at_once_when_it_ends(log: Log, writers: Open) -> None:
    put = rows(2_500)
    writer = writers(log, interval=60)
    for each in put:
        writer.put(each)
    writer.close()
    assert writer.written == 2_500
    assert log.ids() == ids(put)


def test_what_comes_after_the_end_is_counted_as_dropped(lite: Log, writers: Open) -> None:
    writer = writers(lite)
    writer.close()
    writer.put(row(), b"photo")
    writer.feedback(prediction_id(), "oak", "page")
    assert (writer.waiting, writer.dropped) == (0, 2)


def test_a_row_that_comes_again_is_there_once(log: Log, writers: Open) -> None:
    put = rows(3)
    first = writers(log, photo_share=1.0)
    for each in [*put, put[0]]:
        first.put(each, b"photo")
    until(lambda: not first.waiting)
    second = writers(log, photo_share=1.0)
    for each in put:
        second.put(each._replace(label="oak"), b"another")
    until(lambda: second.written == 3)
    assert (second.failing, second.dropped) == (None, 0)
    assert log.ids() == ids(put)
    assert log.ask("SELECT DISTINCT label FROM predictions") == [("moss",)], "the first one counts"
    assert log.ask("SELECT COUNT(*) FROM photos") == [(3,)]


def test_versions_are_written_once_with_their_labels_in_order(log: Log, writers: Open) -> None:
    other = VERSION._replace(version="1.3.0", labels=("oak", "fern", "moss", 'with "quotes"', "ду́б"))
    writer = writers(log)
    for version in (VERSION, other, VERSION):
        writer.register(version)
    writer.put(row())
    until(lambda: writer.written)
    again = writers(log)
    again.register(VERSION)
    again.put(row(version="1.3.0"))
    until(lambda: again.written)
    found = log.ask("SELECT version, model, labels, commit_id, data, threshold FROM versions ORDER BY version")
    assert [(*each[:2], tuple(json.loads(each[2])), *each[3:5]) for each in found] == [
        ("1.2.0", MODEL, LABELS, VERSION.commit, VERSION.data),
        ("1.3.0", MODEL, other.labels, VERSION.commit, VERSION.data),
    ]
    assert found[0][5] == pytest.approx(0.7)


def test_a_version_that_is_not_released_may_come_with_several_models(lite: Log, writers: Open) -> None:
    writer = writers(lite)
    writer.register(VERSION)
    writer.register(VERSION._replace(model="f" * 64, labels=("cat", "dog")))
    writer.put(row())
    until(lambda: writer.written)
    assert lite.ask("SELECT COUNT(*) FROM versions") == [(2,)]


def test_feedback_is_kept_every_time_and_also_to_what_is_not_there(log: Log, writers: Open) -> None:
    put, unknown = row(), prediction_id()
    writer = writers(log)
    writer.put(put)
    for prediction, label in [(put.id, "oak"), (unknown, "moss"), (put.id, "fern")]:
        writer.feedback(prediction, label, "page")
    until(lambda: writer.written == 4)
    found = log.ask("SELECT prediction_id, label, source FROM feedback ORDER BY id")
    assert found == [(put.id, "oak", "page"), (unknown, "moss", "page"), (put.id, "fern", "page")]
    assert len(log.ask("SELECT DISTINCT id FROM feedback")) == 3


@pytest.mark.parametrize("field", ["label", "source", "version"])
def test_a_row_that_the_database_refuses_takes_no_other_with_it(log: Log, writers: Open, field: str) -> None:
    bad = row(**{field: "a\ud800b"})  # half a sign: no database can keep it
    put = rows(20)
    writer = writers(log, interval=60)
    for each in [*put[:10], bad, *put[10:]]:
        writer.put(each)
    writer.feedback(prediction_id(), "\ud800", "page")
    writer.close()
    assert log.ids() == ids(put)
    assert (writer.written, writer.dropped, writer.failing) == (20, 2, None)


def test_a_nul_that_postgresql_cannot_keep_is_such_a_row(postgres: Log, writers: Open) -> None:
    put = rows(5)
    writer = writers(postgres, interval=60)
    for each in [*put, row(source="a\0b"), row(width=1 << 40)]:
        writer.put(each)
    writer.close()
    assert postgres.ids() == ids(put)
    assert (writer.written, writer.dropped) == (5, 2)


# Photos


def test_photos_are_not_kept_unless_someone_asks_for_it(log: Log, writers: Open) -> None:
    writer = writers(log)
    for each in rows(50):
        writer.put(each, b"photo")
    until(lambda: writer.written == 50)
    writer.close()
    assert log.ask("SELECT COUNT(*) FROM photos") == [(0,)]


def test_a_share_of_the_photos_is_kept_and_every_process_chooses_the_same(log: Log, writers: Open) -> None:
    put = rows(800)
    kept: list[set[str]] = []
    for _ in range(2):
        writer = writers(log, photo_share=0.25)
        for each in put:
            writer.put(each, each.id.encode())
        writer.close()
        found = log.ask("SELECT prediction_id, image FROM photos")
        assert all(bytes(image) == name.encode() for name, image in found)
        kept.append({name for name, _ in found})
        log.run("DELETE FROM photos")
    assert 130 < len(kept[0]) < 270
    assert kept[0] == kept[1]


def test_all_photos_are_kept_at_a_share_of_1(lite: Log, writers: Open) -> None:
    writer = writers(lite, photo_share=1.0)
    for each in rows(100):
        writer.put(each, b"photo")
    writer.put(row())  # and one came without
    writer.close()
    assert lite.ask("SELECT COUNT(*) FROM photos") == [(100,)]


def aged(days: float) -> str:
    """An id from so many days ago."""
    return first_id(datetime.now(UTC) - timedelta(days=days))[:-12] + f"{int(days * 1000):012x}"


def test_photos_are_deleted_when_their_days_are_over_and_predictions_are_not(log: Log, writers: Open) -> None:
    old = [row(id=aged(2.5 + number / 1000)) for number in range(120)]  # more than are deleted at once
    young = [row(id=aged(1.5 + number / 1000)) for number in range(10)]
    first = writers(log, photo_share=1.0)
    until(lambda: first._forget_at)
    for each in [*old, *young]:
        first.put(each, b"photo")
    first.close()
    assert log.ask("SELECT COUNT(*) FROM photos") == [(130,)]
    second = writers(log, photo_days=2)  # which itself keeps none
    until(lambda: second._forget_at)
    assert sorted(name for (name,) in log.ask("SELECT prediction_id FROM photos")) == ids(young)
    assert len(log.ids()) == 130


def test_photos_are_deleted_while_it_runs(lite: Log, writers: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("petpark.predictionlog.writer._FORGET_EVERY", 0.2)
    writer = writers(lite, photo_share=1.0, photo_days=1 / 86_400)
    until(lambda: writer._forget_at)
    writer.put(row(), b"photo")
    until(lambda: lite.ask("SELECT COUNT(*) FROM photos") == [(1,)])
    until(lambda: lite.ask("SELECT COUNT(*) FROM photos") == [(0,)])


def test_nothing_of_a_deleted_photo_stays_in_the_file(lite: Log, writers: Open, tmp_path: Path) -> None:
    secret = b"a face that was deleted " * 500
    first = writers(lite, photo_share=1.0)
    until(lambda: first._forget_at)
    first.put(row(id=aged(3)), secret)
    first.close()
    assert secret[:1000] in (tmp_path / "log.db").read_bytes()
    second = writers(lite, photo_days=2)
    until(lambda: second._forget_at)
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]
    assert b"a face that" not in (tmp_path / "log.db").read_bytes()


def test_photos_that_wait_are_bounded_by_their_bytes(postgresql: PostgreSQL, writers: Open) -> None:
    writer = writers(postgresql.address("no_such_database"), photo_share=1.0)
    photo = bytes(10 << 20)
    put = rows(20)
    for each in put:
        writer.put(each, photo)
    assert writer.photos_dropped == 14
    assert (writer.waiting, writer.dropped) == (20, 0), "predictions wait for themselves"


# What is refused at the start


def refusal(url: str, kind: type[PetparkError]) -> str:
    with pytest.raises(kind) as error:
        Writer(url)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("", "there is no prediction log"),
        ("predictions.db", "cannot be read: write it as sqlite:///FILE"),
        ("postgresql://ann:s3cr@t@db/park", "more than one '@'"),
        ("mongodb://ann:s3cret@db/park", "mongodb://ann@db/park: the prediction log lies in SQLite or PostgreSQL"),
        ("mysql+pymysql://ann:s3cret@db/park", "the prediction log lies in SQLite or PostgreSQL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_an_address_that_is_none_of_a_log_is_refused(url: str, what: str) -> None:
    sentence = refusal(url, DataError)
    assert what in sentence
    assert "s3cr" not in sentence


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    sentence = refusal("postgresql://ann:s3cret@db/park", SetupError)
    assert "postgresql://ann@db/park needs the package 'psycopg'" in sentence


@pytest.mark.parametrize("name", ["file/log.db", "missing\0/log.db"])
def test_a_folder_that_cannot_be_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    sentence = refusal(f"sqlite:///{tmp_path / name}", SetupError)
    assert "cannot be written" in sentence
    assert "PETPARK_LOG" in sentence


def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path / "kept")  # root may write everywhere
    sentence = refusal(f"sqlite:///{tmp_path / 'kept' / 'log.db'}", SetupError)
    assert f"{tmp_path / 'kept'} cannot be written (no right to write)" in sentence


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert "is no file" in refusal(f"sqlite:///{tmp_path}", DataError)


def test_the_folder_of_the_file_is_made(tmp_path: Path, writers: Open) -> None:
    writer = writers(f"sqlite:///{tmp_path / 'a' / 'b' / 'log.db'}")
    writer.put(row())
    until(lambda: writer.written)
    assert (tmp_path / "a" / "b" / "log.db").is_file()


def test_a_file_that_is_no_database_is_left_alone_and_told(
    tmp_path: Path, writers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log.db").write_bytes(b"no database, and worth something\n" * 100)
    with caplog.at_level(logging.WARNING):
        writer = writers(f"sqlite:///{tmp_path / 'log.db'}")
        writer.put(row())
        until(lambda: writer.failing)
    assert "file is not a database" in str(writer.failing)
    assert "file is not a database" in caplog.text
    writer.close()
    assert (tmp_path / "log.db").read_bytes() == b"no database, and worth something\n" * 100
    assert (writer.written, writer.dropped) == (0, 1)


def test_ids_of_any_clock_can_be_written(lite: Log, writers: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(nanoseconds: int) -> Any:
        monkeypatch.setattr(rows_module.time, "time_ns", lambda: nanoseconds)
        return row()

    put = [at(0), at(4_102_444_800_000_000_000)]  # a camera without a clock, and one of the year 2100
    writer = writers(lite)
    for each in put:
        writer.put(each)
    until(lambda: writer.written == 2)
    assert lite.ask("SELECT time FROM predictions ORDER BY id") == [
        ("1970-01-01 00:00:00.000000",),
        ("2100-01-01 00:00:00.000000",),
    ]
