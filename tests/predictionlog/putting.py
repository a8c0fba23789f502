"""A process that logs predictions: `python -m tests.predictionlog.putting URL COUNT [FILE_BYTES]`.

It puts one every 2 ms, prints the id of each as soon as it is put, and at the end what the writer counts, as JSON. With
FILE_BYTES no file may grow beyond so many until half of them are put: to its programs, that is a full disk.
"""

import json
import resource
import signal
import sys
import time
from contextlib import suppress

from petpark.predictionlog.writer import Writer
from tests.predictionlog.made import VERSION, row, until


def main(url: str, count: int, file_bytes: int = 0) -> None:
    """Log predictions."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes or resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer = Writer(url)
    writer.register(VERSION)
    slowest, failed = 0.0, None
    for number in range(count):
        if file_bytes and number == count // 2:
            with suppress(AssertionError):
                until(lambda: writer.failing)
            failed = writer.failing
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        made = row(number)
        began = time.thread_time()
        writer.put(made, b"photo")
        slowest = max(slowest, time.thread_time() - began)
        print(made.id, flush=True)
        time.sleep(0.002)
    if failed:
        until(lambda: not writer.failing)
    writer.close(20)
    counts = {"written": writer.written, "dropped": writer.dropped, "failed": failed, "slowest": slowest}
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
