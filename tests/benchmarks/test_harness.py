"""The harness: turns, ratios, processes of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks import harness, memory, opened


class Clock:
    """A clock that goes on when work is done, and not by itself."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, amount: float) -> Callable[[], None]:
        def done() -> None:
            self.now += amount

        return done


def test_a_contender_twice_as_slow_gives_a_ratio_of_two() -> None:
    clock = Clock()
    racers = {
        name: lambda amount=amount: harness.seconds(clock.work(amount), clock)
        for name, amount in {"quick": 3.0, "slow": 6.0}.items()
    }
    took = harness.alternate(racers, 3)
    assert harness.ratio(took["slow"], took["quick"]) == (2, 2, 2)
    assert harness.ratio(took["quick"], took["slow"]).middle == 0.5


def test_a_machine_that_slows_down_leaves_the_ratio_as_it_is() -> None:
    clock, slower = Clock(), iter([1, 1, 5, 5, 7, 7])
    racers = {
        name: lambda amount=amount: harness.seconds(clock.work(amount * next(slower)), clock)
        for name, amount in {"quick": 1.0, "slow": 2.0}.items()
    }
    took = harness.alternate(racers, 3)
    assert harness.spread(took["quick"]) == (5, 1, 7)
    assert harness.ratio(took["slow"], took["quick"]) == (2, 2, 2)


def test_contenders_take_turns_and_another_one_begins_each_round() -> None:
    order: list[str] = []

    def come(name: str) -> int:
        order.append(name)
        return len(order)

    racers = {name: partial(come, name) for name in ("a", "b", "c")}
    assert harness.alternate(racers, 4) == {"a": [1, 6, 8, 10], "b": [2, 4, 9, 11], "c": [3, 5, 7, 12]}
    assert "".join(order) == "abcbcacababc"


def test_a_ratio_is_formed_round_by_round() -> None:
    assert harness.ratio([2, 30, 8], [1, 10, 2]) == (3, 2, 4)


def test_ratios_need_as_many_rounds_of_both() -> None:
    with pytest.raises(ValueError, match="shorter"):
        harness.ratio([1, 2], [1])


def whereabouts(word: str, numbers: list[int], *, times: int = 1) -> list[object]:
    """Called in another process."""
    return [os.getpid(), word * times, sum(numbers)]


def broken() -> None:
    """Called in another process."""
    raise ValueError("the pictures are missing")


def test_a_function_runs_in_a_process_of_its_own() -> None:
    pid, word, total = harness.apart(whereabouts, "ab", [1, 2], times=2)
    assert (word, total) == ("abab", 3)
    assert pid != os.getpid()


def test_a_contender_that_fails_stops_the_race_and_says_why() -> None:
    with pytest.raises(RuntimeError, match="the pictures are missing"):
        harness.apart(broken)


def test_a_command_runs_this_code_and_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-j8")
    said = harness.run([sys.executable, "-c", "import os, petpark; print(petpark.__file__, sorted(os.environ))"])
    assert said.startswith(str(harness.ROOT / "src"))
    assert "HF_HUB_OFFLINE" in said
    assert "MAKEFLAGS" not in said


@pytest.mark.parametrize(("scale", "count"), [(None, 1000), ("0.5", 500), ("0.0001", 7)])
def test_a_scale_shrinks_counts_to_a_least_one(monkeypatch: pytest.MonkeyPatch, scale: str | None, count: int) -> None:
    monkeypatch.delenv("SCALE", raising=False)
    if scale:
        monkeypatch.setenv("SCALE", scale)
    assert harness.scaled(1000, least=7) == count


@pytest.mark.parametrize(
    ("value", "text"), [(0.81234, "0.812"), (3.456, "3.46"), (2440.4, "2,440"), (99.96, "100"), (0, "0"), (12, "12")]
)
def test_numbers_show_three_digits_that_count(value: float, text: str) -> None:
    assert harness.describe(value) == text


def test_scratch_goes_when_the_race_is_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(harness, "SCRATCH", tmp_path / "scratch")
    with harness.scratch("row") as folder:
        (folder / "file").touch()
    assert list((tmp_path / "scratch").iterdir()) == []


MEGABYTES = 64
HOLD = f"held = bytearray(b'x') * ({MEGABYTES} << 20); import time; time.sleep(0.4)"


def test_memory_of_a_command_is_seen(tmp_path: Path) -> None:
    took = memory.watch([sys.executable, "-c", HOLD], tmp_path)
    assert took.bytes > MEGABYTES << 20
    assert took.seconds > 0.4


def test_memory_of_its_children_counts_too(tmp_path: Path) -> None:
    parent = f"import subprocess, sys; [p.wait() for p in [subprocess.Popen([sys.executable, '-c', {HOLD!r}])] * 1]"
    assert memory.watch([sys.executable, "-c", parent], tmp_path).bytes > MEGABYTES << 20


def test_pages_of_a_mapped_file_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (MEGABYTES << 20))
    code = "import mmap, time; f = open('large'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); sum(m[::4096])"
    assert 0 < memory.watch([sys.executable, "-c", f"{code}; time.sleep(0.2)"], tmp_path).bytes < MEGABYTES << 20


def test_a_watched_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3:\nno room"):
        memory.watch([sys.executable, "-c", "import sys; print('no room'); sys.exit(3)"], tmp_path)


def test_a_process_that_is_gone_holds_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert memory.anonymous(process.pid) == 0
    assert list(memory.family(process.pid)) == [process.pid]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for name in ("ab/read", "ab/left", "cd/mapped", "cd/ef/deep"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def test_files_that_any_process_opens_are_seen(store: Path) -> None:
    with opened.watch(store) as seen:
        subprocess.run(["cat", store / "ab/read"], check=True, capture_output=True)
        (store / "cd/ef/deep").read_text()
    assert seen == {store / "ab/read", store / "cd/ef/deep"}


def test_looking_at_names_and_sizes_opens_nothing(store: Path) -> None:
    with opened.watch(store) as seen:
        assert [path.stat().st_size for path in store.rglob("*") if path.is_file()] == [1] * 4
        time.sleep(0.01)
    assert seen == set()
