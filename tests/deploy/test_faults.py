"""The world breaks while the service runs: workers, databases and disks go away, and the end comes."""

import os
import resource
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from petpark.predictionlog.rows import prediction_id
from tests.conftest import draw, jpeg
from tests.deploy import raw
from tests.deploy.serving import Running, command, environment, interruptible, problem, running
from tests.services import PostgreSQL

PHOTO = jpeg(draw(1))


@pytest.fixture
def pair(tmp_path: Path, model: Path) -> Iterator[Running]:
    """A service of two workers."""
    with running(tmp_path, model=str(model), workers="2", photo_seconds="2") as found:
        yield found


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def ready(service: Running) -> int:
    answer = service.client.get("/readyz")
    return int(answer.json()["workers"]) if answer.status_code == 200 else 0


@contextmanager
def held_photo(service: Running) -> Iterator[tuple[int, raw.Connection]]:
    """A photo that a worker has and does not answer."""
    for pid in service.workers():
        os.kill(pid, signal.SIGSTOP)
    with raw.connection(service) as client:
        client.send(raw.photo_request(PHOTO))
        until(lambda: service.metric("petpark_requests_in_work") == 1)
        yield service.workers()[0], client


def test_of_a_killed_worker_one_request_fails_and_can_be_sent_again(pair: Running) -> None:
    with held_photo(pair) as (first, client):
        for pid in pair.workers()[1:]:
            os.kill(pid, signal.SIGCONT)
        assert pair.predict(PHOTO).status_code == 200
        os.kill(first, signal.SIGKILL)
        answer = client.read_one()
        assert raw.statuses(answer) == [503]
        assert b"retry-after: 1" in answer
        assert b"worker-lost" in answer
        assert pair.predict(PHOTO).status_code == 200
    until(lambda: ready(pair) == 2)
    assert first not in pair.workers()
    assert pair.metric("petpark_workers_replaced") == 1


def test_a_worker_that_stands_still_is_replaced_in_time(pair: Running) -> None:
    begin = time.monotonic()
    with held_photo(pair) as (first, client):
        answer = client.read_one()
        assert raw.statuses(answer) == [503]
        assert 1.5 < time.monotonic() - begin < 6
        for pid in pair.workers():
            if pid != first:
                os.kill(pid, signal.SIGCONT)
        until(lambda: ready(pair) == 2)
    assert pair.predict_again(PHOTO).status_code == 200


def test_while_workers_are_killed_again_and_again_requests_get_200_or_503(pair: Running) -> None:
    found: Counter[str] = Counter()
    end = time.monotonic() + 4

    def ask(_: int) -> None:
        with httpx.Client(base_url=pair.url, timeout=30) as client:
            while time.monotonic() < end:
                answer = client.post("/predict", content=PHOTO, headers={"content-type": "image/jpeg"})
                found[str(answer.status_code) if answer.status_code == 200 else problem(answer)[1]] += 1

    with ThreadPoolExecutor(4) as pool:
        asking = pool.map(ask, range(4))
        while time.monotonic() < end:
            for pid in pair.workers()[:1]:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.3)
        list(asking)
    assert set(found) <= {"200", "worker-lost", "busy"}
    assert found["200"] > 20
    until(lambda: ready(pair) == 2)
    until(lambda: len(pair.workers()) == 2)
    assert pair.metric("petpark_requests_in_work") == 0


def test_without_a_worker_the_service_lives_but_is_not_ready(tmp_path: Path, model: Path) -> None:
    mine = tmp_path / "model.onnx"
    mine.write_bytes(model.read_bytes())
    with running(tmp_path, model=str(mine), photo_seconds="1") as service:
        mine.rename(tmp_path / "away")
        os.kill(service.workers()[0], signal.SIGKILL)
        until(lambda: ready(service) == 0)
        assert problem(service.client.get("/readyz")) == (503, "not-ready")
        assert service.client.get("/readyz").headers["retry-after"] == "1"
        assert service.client.get("/livez").status_code == 200
        assert problem(service.predict(PHOTO)) == (503, "busy")
        (tmp_path / "away").rename(mine)
        assert service.predict_again(PHOTO).status_code == 200
        assert "model.onnx is missing" in service.log()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_end_lets_what_is_in_work_finish(tmp_path: Path, model: Path, how: signal.Signals) -> None:
    with running(tmp_path, model=str(model), queue="4") as service:
        port = int(service.url.rpartition(":")[2])
        with held_photo(service) as (worker, first), raw.connection(service) as second, raw.connection(service) as idle:
            workers = service.workers()
            second.send(raw.photo_request(PHOTO)[:-10])
            until(lambda: service.metric("petpark_requests_in_work") == 2)
            service.process.send_signal(how)
            until(lambda: refuses(port))
            assert idle.read(5) == (b"", True)
            second.send(PHOTO[-10:])
            time.sleep(0.2)
            assert service.process.poll() is None
            os.kill(worker, signal.SIGCONT)
            answers = [client.read() for client in (first, second)]
        assert [raw.statuses(answer) for answer, _ in answers] == [[200], [200]]
        assert all(closed for _, closed in answers)
        assert service.process.wait(20) == (0 if how == signal.SIGTERM else 130)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        assert len(service.log().splitlines()) == 1


def refuses(port: int) -> bool:
    with closing(socket.socket()) as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def test_the_end_does_not_wait_for_ever(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), drain_seconds="1", photo_seconds="60") as service, held_photo(service):
        workers = service.workers()
        begin = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        assert time.monotonic() - begin < 8
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        assert "Traceback" not in service.log()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_end_before_the_start_is_over_is_quick_and_silent(tmp_path: Path, model: Path, how: signal.Signals) -> None:
    import subprocess

    for pause in (0.3, 0.6, 0.9, 1.2):
        process = subprocess.Popen(
            command(),
            cwd=tmp_path,
            env=environment({"PETPARK_MODEL": str(model)}),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=interruptible,  # noqa: PLW1509 - it calls one function of C
        )
        time.sleep(pause)
        process.send_signal(how)
        _, said = process.communicate(timeout=20)
        assert process.returncode in (0, 130, -how)
        assert "Traceback" not in said


def test_if_the_front_is_killed_its_workers_end(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), workers="2") as service:
        workers = service.workers()
        service.process.kill()
        service.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_with_a_full_disk_predictions_go_on_and_the_log_recovers(tmp_path: Path, model: Path) -> None:
    """The system lets the front write no file beyond a size, as a full disk does."""
    database = tmp_path / "log.db"
    with running(tmp_path, model=str(model), log=f"sqlite:///{database}") as service:
        service.predict(PHOTO)
        until(lambda: service.metric("petpark_log_written") == 1)
        size = max(database.stat().st_size, 8192)
        soft, hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, hard))
        ids = {service.predict(PHOTO).json()["id"] for _ in range(300)}
        assert len(ids) == 300
        until(lambda: "disk" in service.log() or "full" in service.log() or "limit" in service.log())
        assert service.metric("petpark_log_waiting") > 0
        assert service.client.get("/readyz").status_code == 200
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        until(lambda: service.metric("petpark_log_waiting") == 0)
        assert service.metric("petpark_log_dropped") == 0
        assert service.stop() == 0
    with closing(sqlite3.connect(database)) as log:
        kept = {row[0] for row in log.execute("SELECT id FROM predictions")}
    assert ids < kept
    assert len(kept) == 301


def test_while_the_database_is_gone_predictions_go_on_and_later_are_logged(
    tmp_path: Path, model: Path, database: PostgreSQL
) -> None:
    with running(tmp_path, model=str(model), log=database.address()) as service:
        first = service.predict(PHOTO).json()["id"]
        until(lambda: service.metric("petpark_log_written") == 1)
        database.kill()
        slowest, ids = 0.0, {first}
        for _ in range(50):
            begin = time.monotonic()
            answer = service.predict(PHOTO)
            slowest = max(slowest, time.monotonic() - begin)
            assert answer.status_code == 200
            ids.add(answer.json()["id"])
        assert slowest < 1
        assert service.client.post("/feedback", json={"id": first, "label": "cedar"}).status_code == 202
        assert service.client.get("/readyz").status_code == 200
        until(lambda: "predictions go on" in service.log())
        assert database.PASSWORD not in service.log()
        assert service.metric("petpark_log_waiting") == 51
        database.start()
        until(lambda: service.metric("petpark_log_waiting") == 0)
        assert service.metric("petpark_log_dropped") == 0
    with database.connect() as connection:
        kept = {str(row[0]) for row in connection.execute("SELECT id FROM predictions").fetchall()}
        feedback = connection.execute("SELECT label FROM feedback").fetchall()
    assert kept == ids
    assert feedback == [("cedar",)]


def test_a_service_without_its_database_at_the_end_ends_in_time(
    tmp_path: Path, model: Path, database: PostgreSQL
) -> None:
    with running(tmp_path, model=str(model), log=database.address()) as service:
        database.kill()
        for _ in range(5):
            service.predict(PHOTO)
        begin = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - begin < 12
        assert "5 rows of the prediction log were dropped" in service.log()
    database.start()


MALFORMED = [
    b"",
    b"{",
    b"[]",
    b"1",
    b"null",
    b'"id"',
    b'{"id": "x"}',
    b"[" * 9000,
    b"\xff\xfe",
    b'{"id": %b}' % (b"9" * 5000),
]
UNKNOWN_ID = [b"1e999", b"null", b'"ID "', b'"../../etc"', b'"ID\\n"', b"[]", b'"\\ud800"']
UNKNOWN_LABEL = [b'"oak"', b'"\\ud800"', b'""', b'"Ash"']
FEEDBACK = [
    *((body, (400, "malformed")) for body in MALFORMED),
    *((b'{"id": %b, "label": "ash"}' % each, (422, "unknown-id")) for each in UNKNOWN_ID),
    *((b'{"id": "ID", "label": %b}' % each, (422, "unknown-label")) for each in UNKNOWN_LABEL),
    (b'{"id": "ID", "label": null}', (422, "unknown-id")),
    (b'{"id": "ID", "label": "ash"%b}' % (b" " * 10_000), (413, "too-large")),
]


@pytest.mark.parametrize(("body", "outcome"), FEEDBACK)
def test_feedback_that_makes_no_sense_is_refused(service: Running, body: bytes, outcome: tuple[int, str]) -> None:
    content = body.replace(b"ID", prediction_id().encode())
    answer = service.client.post("/feedback", content=content, headers={"content-type": "application/json"})
    assert problem(answer) == outcome


def test_feedback_to_a_prediction_that_is_not_in_the_log_is_taken(service: Running) -> None:
    """The log of another replica may hold it, or the writer has not come to it."""
    answer = service.client.post("/feedback", json={"id": prediction_id(), "label": "ash", "more": [1]})
    assert answer.status_code == 202
