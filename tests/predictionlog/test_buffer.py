"""The buffer: bounded by weight, first in first out, and the oldest make room."""

from threading import Thread

import pytest

from petpark.predictionlog.buffer import Buffer


def filled(limit: int, items: list[str]) -> Buffer[str]:
    buffer: Buffer[str] = Buffer(limit, len)
    for item in items:
        buffer.put(item)
    return buffer


def test_what_came_first_is_taken_first() -> None:
    buffer: Buffer[int] = Buffer(10)
    for number in range(5):
        buffer.put(number)
    assert buffer.take(3) == [0, 1, 2]
    assert buffer.take(3) == [3, 4]
    assert buffer.take(3) == []
    assert (len(buffer), buffer.dropped) == (0, 0)


def test_where_it_is_full_the_oldest_make_room_and_are_counted() -> None:
    buffer: Buffer[int] = Buffer(3)
    for number in range(10):
        buffer.put(number)
    assert (len(buffer), buffer.dropped) == (3, 7)
    assert buffer.take(10) == [7, 8, 9]


@pytest.mark.parametrize(
    ("items", "kept", "dropped"),
    [
        (["aaa", "bb"], ["aaa", "bb"], 0),
        (["aaa", "bb", "c"], ["bb", "c"], 1),
        (["a", "b", "c", "ddddd"], ["ddddd"], 3),
        (["a", "dddddd"], [], 2),
        (["dddddd", "a"], ["a"], 1),
    ],
)
def test_weight_counts_and_not_number(items: list[str], kept: list[str], dropped: int) -> None:
    buffer = filled(5, items)
    assert buffer.dropped == dropped
    assert buffer.take(99) == kept


def test_room_that_was_taken_is_free_again() -> None:
    buffer = filled(5, ["aaa", "bb"])
    buffer.take(3)
    buffer.put("ccc")
    assert (buffer.dropped, buffer.take(9)) == (0, ["bb", "ccc"])


def test_at_most_a_weight_is_taken_but_at_least_one() -> None:
    buffer = filled(99, ["aa", "bb", "cccc", "d"])
    assert buffer.take(5) == ["aa", "bb"]
    assert buffer.take(1) == ["cccc"]
    assert buffer.take(1) == ["d"]


def test_after_the_end_all_is_dropped() -> None:
    buffer = filled(9, ["a", "b"])
    buffer.close()
    buffer.put("c")
    assert (len(buffer), buffer.dropped) == (0, 3)


def test_threads_lose_nothing_and_count_exactly() -> None:
    buffer: Buffer[int] = Buffer(500)
    taken: list[int] = []
    threads = [Thread(target=lambda: [buffer.put(1) for _ in range(20_000)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += buffer.take(100)
    taken += buffer.take(1000)
    assert len(taken) + buffer.dropped == 60_000
