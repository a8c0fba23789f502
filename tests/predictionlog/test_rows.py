"""Ids tell the time and sort by it; rows are what the tables hold."""

import struct
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from petpark.predictionlog import rows
from petpark.predictionlog.rows import Feedback, Logged, first_id, is_prediction_id, moment, packed, prediction_id
from petpark.predictionlog.tables import FEEDBACK, PREDICTIONS

MOMENT = datetime(2026, 11, 25, 23, 59, 59, 999_000, UTC)


def test_an_id_is_a_uuid_of_version_7() -> None:
    for _ in range(100):
        made = prediction_id()
        parsed = uuid.UUID(made)
        assert str(parsed) == made
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122


def test_an_id_tells_when_it_was_made_to_the_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = prediction_id()
    after = time.time_ns() // 1_000_000
    assert before <= uuid.UUID(made).int >> 80 <= after
    assert before <= round(moment(made).timestamp() * 1000) <= after


def test_the_example_of_the_standard_is_read_rightly() -> None:
    example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"  # appendix A.6 of RFC 9562
    assert moment(example) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert is_prediction_id(example)


@pytest.mark.parametrize(
    ("nanoseconds", "begin"),
    [
        (0, "00000000-0000-7000-"),
        (1_999_999, "00000000-0001-7fff-"),
        (500_000, "00000000-0000-7800-"),
        (1_645_557_742_000_000_000, "017f22e2-79b0-7000-"),
    ],
)
def test_milliseconds_and_their_fraction_come_first(
    nanoseconds: int, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows.time, "time_ns", lambda: nanoseconds)
    assert prediction_id().startswith(begin)


def test_ids_sort_by_time() -> None:
    made = []
    for _ in range(200):
        made.append(prediction_id())
        time.sleep(0.000_01)  # more than the fraction tells apart
    assert made == sorted(made)


def test_threads_make_no_id_twice() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: prediction_id(), range(20_000)))
    assert len(set(made)) == 20_000


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9))])
def test_the_first_id_of_a_moment_parts_what_was_before_from_what_was_after(zone: timezone) -> None:
    start = MOMENT + timedelta(milliseconds=1)
    first = first_id(start.astimezone(zone))
    assert moment(first) == start
    assert is_prediction_id(first)
    assert first_id(MOMENT) < first_id(MOMENT)[:15] + "fff-bfff-ffffffffffff" < first
    assert first < prediction_id() or datetime.now(UTC) < start


@pytest.mark.parametrize(
    "text",
    [
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-78c4-dc0c0c07398f",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
        "'; DROP TABLE predictions; --",
    ],
)
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert not is_prediction_id(text)


def test_numbers_are_packed_as_float32_with_the_least_byte_first() -> None:
    assert packed([1.0, -2.5]) == b"\x00\x00\x80\x3f\x00\x00\x20\xc0"
    assert packed([]) == b""
    assert struct.unpack("<f", packed([0.1]))[0] != 0.1, "which float32 cannot hold"


def test_a_row_is_a_row_of_its_table_but_for_the_time_that_the_id_tells() -> None:
    for kind, table in ((Logged, PREDICTIONS), (Feedback, FEEDBACK)):
        columns = table.columns.keys()
        assert columns[:2] == ["id", "time"]
        assert ("id", *columns[2:]) == kind._fields
