"""What a logged prediction costs the process that logs it, in CPU time."""

import statistics
import time

from tests.predictionlog.conftest import Open
from tests.predictionlog.made import Log, row, rows, until

COUNT = 4_000


def test_to_put_one_takes_microseconds(lite: Log, writers: Open) -> None:
    writer = writers(lite, interval=60)
    until(lambda: writer._forget_at)
    made = rows(COUNT)
    began = time.thread_time()
    for each in made:
        writer.put(each, b"photo")
    assert (time.thread_time() - began) / COUNT < 0.000_01


def test_to_write_one_takes_less_than_six_hundredths_of_a_millisecond(log: Log, writers: Open) -> None:
    writer = writers(log, interval=0.2)
    until(lambda: writer._forget_at)
    spent = []
    for _ in range(7):
        began = time.process_time()
        for number in range(500):
            writer.put(row(number, embedding=bytes(512)))
        until(lambda: not writer.waiting)
        spent.append((time.process_time() - began) / 500)
    assert writer.written == 3_500
    assert statistics.median(spent) < 0.000_06
