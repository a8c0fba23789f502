"""The rows about serving: real servers at a tiny size with a tiny model, and how each row is judged."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmarks.serve_overload import Took as Overload
from benchmarks.serving import material, servers

from benchmarks import serve_container, serve_cpu, serve_even, serve_latency, serve_log, serve_overload

pytestmark = pytest.mark.usefixtures("small")
CORES = sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(not find_spec("fastapi"), reason="needs fastapi, of the group `bench`")
def test_all_contenders_race_for_cpu_time() -> None:
    row = serve_cpu.run()
    assert row.figure > 1, "no server beats the limit"
    assert list(row.peers) == list(serve_cpu.SHOWN)
    assert "core" in row.machine


def raced(ours: Sequence[float], limit: float, bento: Sequence[float], hand: Sequence[float]) -> dict[str, Any]:
    found = {name: [bento if "BentoML" in name else hand] for name in serve_cpu.SHOWN}
    return {**found, serve_cpu.PETPARK: [ours], serve_cpu.LOGGED: [ours], "limit": [[limit]]}


@pytest.mark.parametrize(
    ("took", "figure", "met"),
    [
        (raced([4.9, 5.0], 4.0, [9, 9], [5.1, 5.1]), 1.25, True),
        (raced([5.1, 4.0], 4.0, [9, 9], [5.2, 5.2]), 1.275, False),
        (raced([4.9, 5.0], 4.0, [9, 9], [5.1, 4.9]), 1.25, False),
        (raced([4.9, 5.0], 4.0, [4.8, 9], [5.1, 5.1]), 1.25, False),
    ],
)
def test_cpu_time_is_judged_by_limit_and_peers_where_they_come_closest(
    took: dict[str, Any], figure: float, *, met: bool
) -> None:
    found = serve_cpu.judge(took, "photos")
    assert (found.figure, found.met) == (figure, met)


@pytest.mark.skipif(not find_spec("fastapi"), reason="needs fastapi, of the group `bench`")
def test_two_workers_share_the_requests() -> None:
    row = serve_even.run()
    assert 0.5 <= row.figure <= 1
    assert "PETPARK_QUEUE=64" in row.machine


def test_shares_are_counted_exactly(tmp_path: Path, served: material.Material) -> None:
    with servers.petpark(tmp_path, served.model, CORES, workers="2", queue="64") as running:
        for _ in range(2):
            share = serve_even.share(running, CORES, served.raw, 32, 64)
            assert 0.5 <= share <= 1
            assert (share * 64).is_integer()


@pytest.mark.parametrize(("shares", "met"), [([[0.5, 0.6]], True), ([[0.5, 0.6], [0.61, 0.5]], False)])
def test_the_most_uneven_round_is_judged(shares: list[list[float]], *, met: bool) -> None:
    assert serve_even.judge({"petpark": shares, "uvicorn": shares}, "photos").met is met


def test_latency_at_half_load_is_measured() -> None:
    row = serve_latency.run()
    assert row.figure > 0
    assert "longest" in row.machine


def test_a_queue_lets_each_wait_for_those_before_it() -> None:
    assert serve_latency.queue([0.0, 0.5, 5.0], 1.0) == [1.0, 1.5, 1.0]


def waited(p95: float, longest: float = 50, failed: int = 0) -> serve_latency.Took:
    return serve_latency.Took(5.0, 200.0, p95, longest, 14.0, failed)


@pytest.mark.parametrize(
    ("took", "met"),
    [
        ([waited(15)], True),
        ([waited(15.1)], False),
        ([waited(15), waited(14, longest=101)], False),
        ([waited(15), waited(14, failed=1)], False),
    ],
)
def test_latency_is_judged_by_its_percentile_and_by_the_longest(took: list[serve_latency.Took], *, met: bool) -> None:
    assert serve_latency.judge(took, "photos").met is met


def test_the_cost_of_log_and_metrics_is_measured() -> None:
    row = serve_log.run()
    assert row.figure != 0
    assert "SHA-256" in row.machine


@pytest.mark.parametrize(("with_log", "met"), [(0.58, True), (0.61, False)])
def test_log_metrics_and_image_properties_are_added_up(with_log: float, *, met: bool) -> None:
    took: dict[str, list[Any]] = {"with": [with_log], "without": [0.5], "extras": [{"looks": 0.05, "metrics": 0.015}]}
    found = serve_log.judge(took, "photos")
    assert found.figure == pytest.approx(with_log - 0.435)
    assert found.met is met


def test_an_overload_is_watched() -> None:
    row = serve_overload.run()
    assert row.figure > 0
    assert "memory" in row.machine


def answers(begin: float, count: int, seconds: float, status: int = 200) -> list[tuple[float, float, int, str]]:
    return [(begin + number / 100, seconds, status, "") for number in range(count)]


def test_an_overload_is_taken_apart() -> None:
    during = answers(0, 60, 0.02) + answers(0.005, 40, 0.001, 503)
    found = serve_overload.weigh(during + answers(1, 50, 0.01, 503) + answers(1.5, 50, 0.01), 1.0, 0.01, 1.02)
    assert found == Overload(10, 20, 1, 0.4, 0, 1.02, 0.5)
    assert serve_overload.weigh([*during, (0.5, 1.0, 500, "")], 1.0, 0.01, 1.0).odd == 1


def test_what_does_not_become_normal_again_is_not_met() -> None:
    assert serve_overload.recovery(answers(1, 100, 0.5), 1.0, 0.1) == float("inf")
    assert serve_overload.recovery(answers(1, 3, 0.05), 1.0, 0.1) == float("inf")
    assert serve_overload.recovery(answers(1, 30, 0.05), 1.0, 0.1) == 0


@pytest.mark.parametrize(
    ("change", "met"),
    [
        ({}, True),
        ({"accepted": 51.0}, False),
        ({"refused": 41.0}, False),
        ({"odd": 1}, False),
        ({"growth": 1.06}, False),
        ({"recovery": 2.1}, False),
    ],
)
def test_an_overload_is_judged_by_all_that_is_promised(change: dict[str, Any], *, met: bool) -> None:
    good = Overload(10.0, 40.0, 2.0, 0.5, 0, 1.01, 0.3)
    assert serve_overload.judge([good._replace(**change)], "photos").met is met


def started(seconds: float, megabytes: float) -> list[serve_container.Took]:
    return [serve_container.Took(seconds, megabytes * 1e6)]


@pytest.mark.parametrize(
    ("size", "ours", "default", "met"),
    [
        (500, started(3.0, 300), started(5.0, 400), True),
        (501, started(3.0, 300), started(5.0, 400), False),
        (500, started(3.1, 300), started(5.0, 400), False),
        (500, started(5.1, 300), started(9.0, 400), False),
        (500, started(3.0, 301), started(5.0, 400), False),
    ],
)
def test_a_container_is_judged_by_size_start_and_memory(
    size: int, ours: list[serve_container.Took], default: list[serve_container.Took], *, met: bool
) -> None:
    sizes = {"ours": size * 10**6, "default": 10**9}
    assert serve_container.judge(sizes, {"ours": ours, "default": default}, "photos").met is met
