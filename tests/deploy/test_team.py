"""The team of inference workers, with real ones."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from petpark.deploy.serving import wire
from petpark.deploy.serving.team import Busy, Left, Lost, Partings, Team
from petpark.deploy.serving.wire import Kind
from petpark.errors import ModelError
from tests import models
from tests.conftest import draw, jpeg
from tests.deploy.memory import descriptors

PHOTO = jpeg(draw(1))
MAX_PIXELS = "1000000"


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On the loop that the service has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


@asynccontextmanager
async def gathered(model: Path, size: int = 1, queue: int = 8, seconds: float = 10) -> AsyncIterator[Team]:
    team = Team((str(model), MAX_PIXELS), size, queue, seconds)
    try:
        await team.start()
        yield team
    finally:
        team.stop()


def ask(team: Team, partings: Partings | None = None) -> asyncio.Task[tuple[Kind, bytes]]:
    return asyncio.get_running_loop().create_task(
        team.ask(Kind.PREDICT, PHOTO, set() if partings is None else partings)
    )


def answered(message: tuple[Kind, bytes]) -> bool:
    kind, payload = message
    return kind == Kind.PREDICTED and abs(sum(wire.unpack_answer(payload, 3).probabilities) - 1) < 1e-5


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.02)


def pids(team: Team) -> list[int]:
    return [pid for _, pid, _ in team.workers]


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_photos_go_to_the_worker_that_has_been_idle_for_longest(model: Path) -> None:
    async def work() -> None:
        async with gathered(model, 2) as team:
            for _ in range(10):
                assert answered(await ask(team))
            assert [served for _, _, served in team.workers] == [5, 5]
            assert team.hello["labels"] == list(models.LABELS)

    run(work)


def test_a_worker_killed_over_a_photo_loses_that_photo_alone(model: Path) -> None:
    async def work() -> None:
        async with gathered(model, 2) as team:
            first, second = pids(team)
            stop(first)
            mine, other = ask(team), ask(team)
            waiting = [ask(team) for _ in range(3)]
            assert answered(await other)
            kill(first)
            with pytest.raises(Lost) as lost:
                await mine
            assert lost.value.slow is False
            assert all(map(answered, await asyncio.gather(*waiting)))
            await until(lambda: team.ready == 2)
            assert first not in pids(team)
            assert second in pids(team)
            assert team.replaced == 1
            assert sum(served for _, _, served in team.workers) == 4

    run(work)


def test_a_worker_that_is_killed_again_and_again_is_replaced_without_delay(model: Path) -> None:
    async def work() -> None:
        async with gathered(model) as team:
            before = descriptors(os.getpid())
            for times in range(1, 7):
                kill(pids(team)[0])
                await until(lambda n=times: team.replaced == n and team.ready == 1, 8)  # type: ignore[misc]
            assert answered(await ask(team))
            assert descriptors(os.getpid()) <= before + 1

    begin = time.monotonic()
    run(work)
    assert time.monotonic() - begin < 40
    assert not zombies()


@pytest.mark.slow
def test_200_replacements_leave_nothing_behind(model: Path) -> None:
    async def work() -> None:
        async with gathered(model) as team:
            before = descriptors(os.getpid())
            for times in range(1, 201):
                kill(pids(team)[0])
                await until(lambda n=times: team.replaced == n and team.ready == 1, 30)  # type: ignore[misc]
            assert answered(await ask(team))
            assert descriptors(os.getpid()) <= before + 1
            assert not zombies()

    run(work)


def zombies() -> list[int]:
    """Children of this process that have ended and that nobody has asked for, after a second."""
    time.sleep(1)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in map(int, children) if ") Z " in Path(f"/proc/{pid}/stat").read_text()]


def test_a_worker_that_does_not_answer_is_replaced_in_time(model: Path) -> None:
    async def work() -> None:
        async with gathered(model, seconds=1) as team:
            stop(pids(team)[0])
            begin = time.monotonic()
            with pytest.raises(Lost) as lost:
                await ask(team)
            assert 0.9 < time.monotonic() - begin < 3
            assert lost.value.slow is False  # it did nothing, so the photo is not to blame
            await until(lambda: team.ready == 1)
            assert answered(await ask(team))

    run(work)


def test_one_photo_too_many_is_refused_at_once(model: Path) -> None:
    async def work() -> None:
        async with gathered(model, queue=2) as team:
            stop(pids(team)[0])
            taken = [ask(team) for _ in range(3)]
            await until(lambda: team.waiting == 2)
            begin = time.monotonic()
            with pytest.raises(Busy):
                await ask(team)
            assert time.monotonic() - begin < 0.1
            os.kill(pids(team)[0], signal.SIGCONT)
            assert all(map(answered, await asyncio.gather(*taken)))

    run(work)


def test_a_photo_does_not_wait_for_ever(tmp_path: Path) -> None:
    """Without a model file no worker can be replaced."""
    model = models.save(tmp_path / "model.onnx", metadata=models.card())

    async def work() -> None:
        async with gathered(model, seconds=1) as team:
            model.rename(tmp_path / "away")
            kill(pids(team)[0])
            await until(lambda: team.ready == 0)
            with pytest.raises(Busy):
                await ask(team)
            assert team.waiting == 0
            (tmp_path / "away").rename(model)
            await until(lambda: team.ready == 1, 30)
            assert answered(await ask(team))

    run(work)


def test_a_worker_with_another_model_does_not_join(tmp_path: Path) -> None:
    """Its answers would be read as those of the model that the service tells of."""
    model = models.save(tmp_path / "model.onnx", metadata=models.card())
    shutil.copy(model, tmp_path / "same")

    async def work() -> None:
        async with gathered(model) as team:
            models.save(model, metadata=models.card(("a", "b", "c")))
            kill(pids(team)[0])
            first = pids(team)[0]
            await until(lambda: first not in pids(team))
            second = pids(team)[0]
            await until(lambda: second not in pids(team))
            assert team.ready == 0
            shutil.copy(tmp_path / "same", model)
            await until(lambda: team.ready == 1, 30)
            assert answered(await ask(team))

    run(work)


def test_who_goes_away_leaves_the_queue(model: Path) -> None:
    async def work() -> None:
        async with gathered(model, queue=2) as team:
            stop(pids(team)[0])
            partings: Partings = set()
            held, impatient, patient = ask(team), ask(team, partings), ask(team)
            await until(lambda: team.waiting == 2)
            for part in list(partings):
                part()
            with pytest.raises(Left):
                await impatient
            assert team.waiting == 1
            os.kill(pids(team)[0], signal.SIGCONT)
            assert answered(await held)
            assert answered(await patient)
            assert not partings
            assert sum(served for _, _, served in team.workers) == 2

    run(work)


def test_a_cancelled_question_leaves_the_queue(model: Path) -> None:
    async def work() -> None:
        async with gathered(model) as team:
            stop(pids(team)[0])
            held, second = ask(team), ask(team)
            await until(lambda: team.waiting == 1)
            second.cancel()
            await asyncio.wait([second])
            assert team.waiting == 0
            held.cancel()
            await asyncio.wait([held])
            os.kill(pids(team)[0], signal.SIGCONT)
            assert answered(await ask(team))

    run(work)


@pytest.mark.parametrize("size", [1, 3])
def test_a_model_that_is_none_is_told_in_one_sentence(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")

    async def work() -> None:
        with pytest.raises(ModelError) as error:
            async with gathered(path, size):
                pass
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)

    run(work)


def test_a_worker_killed_before_it_is_ready_is_told(model: Path) -> None:
    async def work() -> None:
        team = Team((str(model), MAX_PIXELS), 1, 1, 1)
        gathering = asyncio.get_running_loop().create_task(team.start())
        await until(lambda: bool(team.workers))
        kill(pids(team)[0])
        with pytest.raises(ModelError, match="ended before"):
            await gathering
        team.stop()

    run(work)


def test_stopping_ends_workers_that_are_stopped_or_have_just_been_started(model: Path) -> None:
    async def work() -> None:
        async with gathered(model, 2) as team:
            first, second = pids(team)
            stop(first)
            kill(second)
            await until(lambda: second not in pids(team))
            processes.extend(pids(team))

    processes: list[int] = []
    run(work)
    assert len(processes) == 2
    assert not zombies()
    time.sleep(0.5)
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


def test_a_worker_is_told_no_secret(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETPARK_TOKEN", "s3cret")
    monkeypatch.setenv("PETPARK_LOG", "postgresql://me:s3cret@db/park")

    async def work() -> None:
        async with gathered(model) as team:
            told.append(Path(f"/proc/{pids(team)[0]}/environ").read_bytes())  # noqa: ASYNC240 - it takes no time

    told: list[bytes] = []
    run(work)
    assert b"OMP_NUM_THREADS=1" in told[0]
    assert b"s3cret" not in told[0]


def test_no_room_for_another_process_is_no_end(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = subprocess.Popen, iter(range(2))

    def full(*args: Any, **options: Any) -> Any:
        if next(left, None) is None:
            return real(*args, **options)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    async def work() -> None:
        async with gathered(model) as team:
            before = descriptors(os.getpid())
            monkeypatch.setattr(subprocess, "Popen", full)
            kill(pids(team)[0])
            await until(lambda: team.replaced == 1 and team.ready == 1)
            assert answered(await ask(team))
            assert descriptors(os.getpid()) <= before + 1

    run(work)
    assert next(left, None) is None
