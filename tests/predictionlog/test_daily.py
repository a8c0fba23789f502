"""A day of the log as Parquet: whole, exact, the same bytes for the same rows, in bounded memory."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from petpark.errors import DataError
from petpark.predictionlog import daily, schema
from petpark.predictionlog.rows import Feedback, Logged, Version, first_id, moment, packed, prediction_id
from petpark.predictionlog.sink import Batch, Sink
from tests.predictionlog.made import LABELS, MODEL, PROBABILITIES, VERSION, Log, row
from tests.services import PostgreSQL

ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 25)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
NEXT = Version("1.3.0", "f" * 64, ("oak", "fern", "moss", "ash"), 0.6, "c" * 40, "d" * 32)


def at(time: datetime, number: int = 0) -> str:
    """An id of a moment; those of the same moment are in the order of their numbers."""
    return first_id(time)[:-12] + f"{number:012x}"


def day(count: int = 100) -> list[Logged]:
    """Predictions of a day, in the order of their ids."""
    step = timedelta(days=1) / count
    return [row(number, id=at(MIDNIGHT + number * step, number)) for number in range(count)]


def write(log: Log, predictions: Sequence[Logged] = (), feedback: Sequence[Feedback] = ()) -> None:
    sink = Sink(log.address)
    sink.open()
    for start in range(0, len(predictions), 1000):
        sink.write(Batch(predictions[start : start + 1000]), (VERSION,))
    sink.write(Batch(feedback=feedback), (NEXT,))
    sink.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes."""
    return tmp_path / "out" / "day.parquet"


def test_a_row_comes_out_as_it_went_in(log: Log, path: Path) -> None:
    put = row(7, id=at(MIDNIGHT + timedelta(hours=5, milliseconds=123)), source="camera-7", unsure=True)
    write(log, [put])
    assert daily.export(log.address, DAY, path) == daily.Exported(1, 0)
    table = daily.read(path)
    assert table.schema == daily.SCHEMA
    (found,) = table.to_pylist()
    assert found.pop("time") == datetime(2026, 11, 25, 5, 0, 0, 123_000, UTC) == moment(put.id)
    assert found.pop("probabilities") == pytest.approx(PROBABILITIES)
    assert found.pop("embedding") == [7, -1.5]
    assert found.pop("feedback") is None
    expected = put._asdict()
    for name in ("probabilities", "embedding"):
        del expected[name]
    assert found == pytest.approx(expected)
    assert table.column("probabilities").combine_chunks().flatten().to_numpy().tobytes() == put.probabilities


def test_a_day_is_one_of_utc_from_its_first_millisecond_to_its_last(log: Log, path: Path) -> None:
    moments = [MIDNIGHT - timedelta(milliseconds=1), MIDNIGHT, MIDNIGHT + timedelta(days=1, milliseconds=-1)]
    put = [row(id=at(time)) for time in (*moments, MIDNIGHT + timedelta(days=1))]
    write(log, put)
    assert daily.export(log.address, DAY, path).predictions == 2
    assert daily.read(path).column("id").to_pylist() == [each.id for each in put[1:3]]


def test_rows_are_in_the_order_of_their_ids_whenever_they_came(log: Log, path: Path) -> None:
    put = day()
    write(log, put[60:])
    write(log, put[:60][::-1])
    daily.export(log.address, DAY, path)
    assert daily.read(path).column("id").to_pylist() == [each.id for each in put]


def test_the_last_feedback_counts_and_comes_with_the_prediction(log: Log, path: Path) -> None:
    put = day(6)
    said = [(0, "oak"), (2, "fern"), (0, "fern"), (4, "moss"), (0, "moss"), (2, "oak")]
    feedback = [Feedback(prediction_id(), put[number].id, label, "page") for number, label in said]
    feedback.append(Feedback(prediction_id(), prediction_id(), "oak", "page"))  # to what was dropped
    write(log, put, feedback[::-1])
    assert daily.export(log.address, DAY, path) == daily.Exported(6, 3)
    assert daily.read(path).column("feedback").to_pylist() == ["moss", None, "oak", None, "moss", None]


def test_feedback_that_comes_later_is_in_the_next_export(log: Log, path: Path) -> None:
    put = day(3)
    write(log, put)
    daily.export(log.address, DAY, path)
    write(log, feedback=[Feedback(prediction_id(), put[1].id, "oak", "page")])
    assert daily.export(log.address, DAY, path) == daily.Exported(3, 1)
    assert daily.read(path).column("feedback").to_pylist() == [None, "oak", None]


def test_labels_of_every_version_of_the_day_are_in_the_file(log: Log, path: Path) -> None:
    put = day(4)
    changed = {"version": "1.3.0", "model": NEXT.model, "probabilities": packed([0.1, 0.2, 0.3, 0.4])}
    put[2:] = [each._replace(**changed) for each in put[2:]]  # type: ignore[arg-type] # of several types
    write(log, put)
    daily.export(log.address, DAY, path)
    assert daily.labels(path) == {("1.2.0", MODEL): LABELS, ("1.3.0", NEXT.model): NEXT.labels}
    assert [len(each) for each in daily.read(path).column("probabilities").to_pylist()] == [3, 3, 4, 4]
    write(log, [each._replace(id=at(MIDNIGHT + timedelta(days=3), n)) for n, each in enumerate(put[:2])])
    daily.export(log.address, DAY + timedelta(days=3), path)
    assert daily.labels(path) == {("1.2.0", MODEL): LABELS}, "and of no other"


def test_a_day_without_predictions_is_a_file_without_rows(log: Log, path: Path) -> None:
    write(log, day(3))
    assert daily.export(log.address, DAY + timedelta(days=1), path) == daily.Exported(0, 0)
    table = daily.read(path)
    assert (table.schema, table.num_rows) == (daily.SCHEMA, 0)
    assert daily.labels(path) == {}


def test_embeddings_may_be_missing(lite: Log, path: Path) -> None:
    put = day(4)
    put[1] = put[1]._replace(embedding=b"")
    write(lite, put)
    daily.export(lite.address, DAY, path)
    assert [len(each) for each in daily.read(path).column("embedding").to_pylist()] == [2, 0, 2, 2]


def test_the_same_rows_give_the_same_bytes_from_every_database(lite: Log, postgres: Log, path: Path) -> None:
    put = [each._replace(confidence=0.1, latency_ms=1 / 3, label="möss\n'\"") for each in day(12_000)]
    feedback = [Feedback(prediction_id(), each.id, "fern", "page") for each in put[::7]]
    digests = set()
    for log in (lite, postgres):
        write(log, put, feedback)
        for _ in range(2):
            daily.export(log.address, DAY, path)
            digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    assert pq.read_metadata(path).num_row_groups == 2
    assert daily.read(path).column("id").to_pylist() == [each.id for each in put]


def test_some_columns_can_be_read_alone(lite: Log, path: Path) -> None:
    write(lite, day(3))
    daily.export(lite.address, DAY, path)
    assert daily.read(path, ["label", "unsure"]).to_pydict() == {
        "label": ["moss"] * 3,
        "unsure": [False, True, False],
    }


PEAK = """
import resource, sys
from datetime import date
from pathlib import Path
from petpark.predictionlog import daily, database
daily.GROUP_ROWS = 100
done = daily.export(database.address(sys.argv[1]), date(2026, 11, int(sys.argv[2])), Path(sys.argv[3]))
print(done.predictions, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_day(log: Log, path: Path) -> None:
    wide = bytes(16_000)
    write(log, [each._replace(embedding=wide) for each in day(4_000)])  # 64 MB
    write(log, [row(id=at(MIDNIGHT - timedelta(hours=1)))])

    def peak(number: int) -> tuple[int, int]:
        command = [sys.executable, "-c", PEAK, log.url, str(number), str(path)]
        rows, kilobytes = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        return int(rows), int(kilobytes)

    one, many = peak(24), peak(25)
    assert (one[0], many[0]) == (1, 4_000)
    assert many[1] - one[1] < 32_000


def test_a_day_is_found_without_looking_at_others_and_without_sorting(log: Log) -> None:
    write(log, day(500))
    with log._engine.connect() as connection:
        if log.url.startswith("sqlite"):
            explain, used, sort = "EXPLAIN QUERY PLAN", "sqlite_autoindex_predictions_1 (id>? AND id<?)", "TEMP B-TREE"
        else:
            connection.exec_driver_sql("SET enable_seqscan = off; SET enable_bitmapscan = off")  # 500 rows are few
            explain, used, sort = "EXPLAIN", "Index Scan using predictions_pkey", "Sort"
        query = daily._query(DAY).compile(connection, compile_kwargs={"literal_binds": True})
        plan = str(list(connection.execute(text(f"{explain} {query}"))))
    assert used in plan
    assert sort not in plan


# What cannot be exported or read


def refusal(log: Log, path: Path) -> str:
    """What is said where nothing can be exported; no file appears."""
    with pytest.raises(DataError) as error:
        daily.export(log.address, DAY, path)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert PostgreSQL.PASSWORD not in sentence
    assert not path.exists()
    return sentence


def test_a_file_that_is_not_there_is_not_made(lite: Log, path: Path, tmp_path: Path) -> None:
    assert "there is no file" in refusal(lite, path)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_log_is_told(log: Log, path: Path) -> None:
    log.run("CREATE TABLE others (id TEXT)")
    assert "holds no prediction log" in refusal(log, path)


def test_a_server_that_is_away_is_told(postgresql: PostgreSQL, path: Path) -> None:
    assert "cannot be reached" in refusal(Log(postgresql.address(port=1)), path)
    assert "cannot be reached" in refusal(Log(postgresql.address(password="wrong")), path)


def test_a_file_that_is_no_database_is_told(lite: Log, path: Path, tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"nothing of the kind\n" * 100)
    assert "cannot be used (file is not a database)" in refusal(lite, path)


def test_a_table_that_is_missing_is_told_and_no_half_file_stays(log: Log, path: Path) -> None:
    write(log, day(5))
    log.run("DROP TABLE feedback")
    assert "cannot be used" in refusal(log, path)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_was_there_stays_where_the_next_export_fails(log: Log, path: Path) -> None:
    write(log, day(5))
    daily.export(log.address, DAY, path)
    before = path.read_bytes()
    log.run(f"DELETE FROM {schema.TABLE}")
    with pytest.raises(DataError):
        daily.export(log.address, DAY, path)
    assert path.read_bytes() == before


def test_what_is_no_day_of_the_log_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for read in (daily.read, daily.labels):
        with pytest.raises(DataError, match="is missing: make it with `petpark predictions export"):
            read(path)
    path.write_bytes(b"PAR1 no Parquet PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        daily.read(path)
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(DataError, match="is no day of the prediction log"):
        daily.read(path)
