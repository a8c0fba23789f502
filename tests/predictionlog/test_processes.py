"""Processes that log: killed, side by side, and on a full disk."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from petpark.predictionlog.rows import moment
from tests.predictionlog.made import Log

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


def test_after_kill_9_at_most_a_second_is_missing_and_nothing_is_corrupt(log: Log) -> None:
    before: set[str] = set()
    for _ in range(2):  # the second one finds what the first one left
        with start(log, 100_000) as process:
            assert process.stdout is not None
            put = [process.stdout.readline().strip()]
            while (moment(put[-1]) - moment(put[0])).total_seconds() < 1.7:
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


def test_two_processes_write_into_one_database(log: Log) -> None:
    processes = [start(log, 400) for _ in range(2)]
    done = [ended(process) for process in processes]
    assert log.ids() == sorted([*done[0][0], *done[1][0]])
    assert [(counts["written"], counts["dropped"]) for _, counts in done] == [(400, 0)] * 2
    assert whole(log)


def test_on_a_full_disk_predictions_go_on_and_are_written_when_there_is_room(lite: Log) -> None:
    put, counts = ended(start(lite, 1_500, 200_000))
    assert str(counts["failed"]).startswith("sqlite:///")
    assert counts["slowest"] < 0.05
    assert (counts["written"], counts["dropped"]) == (1_500, 0)
    assert lite.ids() == sorted(put)
    assert whole(lite)
