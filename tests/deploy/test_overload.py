"""More is asked than can be done: who is refused is told so at once, and everybody else is served."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import draw, encoded, jpeg
from tests.deploy import raw
from tests.deploy.memory import descriptors, resident
from tests.deploy.serving import Running, problem, running

PHOTO = jpeg(draw(1))
OTHER = "127.0.0.2"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, model=str(model), queue="4", client_requests="6", requests="8", body_seconds="60") as found:
        yield found


@contextmanager
def busy(service: Running, photos: int) -> Iterator[list[raw.Connection]]:
    """Its worker stands still, and so many photos have been sent."""
    [worker] = service.workers()
    os.kill(worker, signal.SIGSTOP)
    try:
        with ExitStack() as stack:
            clients = [stack.enter_context(raw.connection(service)) for _ in range(photos)]
            for client in clients:
                client.send(raw.photo_request(PHOTO))
            until(lambda: service.metric("petpark_requests_in_work") == photos)
            yield clients
    finally:
        os.kill(worker, signal.SIGCONT)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def nobody_in_work(service: Running) -> bool:
    return service.metric("petpark_requests_in_work") == 0


def from_elsewhere(service: Running) -> httpx.Client:
    return httpx.Client(base_url=service.url, timeout=30, transport=httpx.HTTPTransport(local_address=OTHER))


def test_where_too_many_photos_wait_the_next_is_refused_at_once(service: Running) -> None:
    with busy(service, 5) as clients:
        begin = time.monotonic()
        answers = [service.predict(PHOTO) for _ in range(10)]
        explained = service.client.post("/explain", content=PHOTO, headers={"content-type": "image/jpeg"})
        assert time.monotonic() - begin < 1
        for answer in (*answers, explained):
            assert problem(answer) == (503, "busy")
            assert answer.headers["retry-after"] == "1"
        os.kill(service.workers()[0], signal.SIGCONT)
        assert [raw.statuses(client.read_one()) for client in clients] == [[200]] * 5
    assert service.predict(PHOTO).status_code == 200


def test_while_photos_wait_everything_else_is_answered_quickly(service: Running) -> None:
    with busy(service, 3):
        for path in ("/livez", "/readyz", "/metrics", "/version", "/docs.json", "/"):
            begin = time.monotonic()
            assert service.client.get(path).status_code == 200
            assert time.monotonic() - begin < 0.5
        assert service.metric("petpark_waiting_photos") == 2
    until(lambda: nobody_in_work(service))


@pytest.mark.parametrize("photo", [PHOTO, encoded(draw(1, width=400, height=300), "BMP")], ids=["small", "large"])
def test_who_goes_away_leaves_the_queue_at_once(service: Running, photo: bytes) -> None:
    before = service.metric("petpark_predictions_total")
    with busy(service, 1):
        with ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(raw.connection(service)).send(raw.photo_request(photo))
            until(lambda: service.metric("petpark_waiting_photos") == 4)
        until(lambda: service.metric("petpark_waiting_photos") == 0)
        until(lambda: service.metric("petpark_requests_in_work") == 1)
    until(lambda: nobody_in_work(service))
    assert service.metric("petpark_predictions_total") - before == 1


@contextmanager
def sending(service: Running, count: int, *headers: bytes, source: str = "127.0.0.1") -> Iterator[None]:
    """So many requests whose bodies do not end."""
    before = service.metric("petpark_requests_in_work")
    head = raw.PHOTO_HEAD + b"".join(header + b"\r\n" for header in headers)
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(raw.connection(service, source=source))
            client.send(head + b"Content-Length: 1000\r\n\r\nabc")
        until(lambda: service.metric("petpark_requests_in_work") == before + count)
        yield
    until(lambda: service.metric("petpark_requests_in_work") == before)


def test_a_client_with_too_many_requests_is_refused_and_others_are_not(service: Running) -> None:
    with from_elsewhere(service) as other, sending(service, 6):
        refused = [httpx.get(f"{service.url}/version", headers=headers) for headers in ({}, {"x-forwarded-for": OTHER})]
        served = other.get("/version")
    for answer in refused:
        assert problem(answer) == (429, "too-many")
        assert answer.headers["retry-after"] == "1"
    assert served.status_code == 200


def test_too_many_requests_of_all_are_refused_but_health_and_figures_are_told(service: Running) -> None:
    with from_elsewhere(service) as other, sending(service, 5), sending(service, 3, source=OTHER):
        refused, alive, figures = (other.get(path) for path in ("/version", "/livez", "/metrics"))
    assert figures.status_code == 200
    assert problem(refused) == (503, "busy")
    assert refused.headers["retry-after"] == "1"
    assert alive.status_code == 200


def test_a_trusted_proxy_tells_clients_apart(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), client_requests="2", trusted_proxies="127.0.0.1") as service:
        one = {"x-forwarded-for": "203.0.113.1, 127.0.0.1"}
        with sending(service, 2, b"X-Forwarded-For: 203.0.113.1"):
            assert problem(service.client.get("/version", headers=one)) == (429, "too-many")
            assert (
                problem(service.client.get("/version", headers={"x-forwarded-for": "9.9.9.9, 203.0.113.1"}))[0] == 429
            )
            assert service.client.get("/version", headers={"x-forwarded-for": "203.0.113.2"}).status_code == 200
            assert service.client.get("/version").status_code == 200
            with from_elsewhere(service) as untrusted:
                assert untrusted.get("/version", headers=one).status_code == 200


def test_bodies_that_are_being_sent_fill_no_more_memory_than_is_meant_for_them(tmp_path: Path, model: Path) -> None:
    size, piece = 10_000_000, bytes(1_000_000)
    with running(tmp_path, model=str(model), body_seconds="60") as service, ExitStack() as stack:
        before = resident(service.process.pid)

        def send(_: int) -> bytes:
            client = stack.enter_context(raw.connection(service))
            client.send(raw.PHOTO_HEAD + b"Content-Length: %d\r\n\r\n" % size)
            for _ in range(9):
                if not client.send(piece):
                    break
            return client.read(0.5)[0]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(send, range(40)))
        assert resident(service.process.pid) - before < 320 << 20
        refused = [answer for answer in answers if answer]
        assert all(raw.statuses(answer) == [503] and b"retry-after: 1" in answer for answer in refused)
        assert 5 < len(refused) < 20
        stack.close()
        until(lambda: nobody_in_work(service))
        assert service.predict(PHOTO).status_code == 200


def test_all_but_health_needs_the_token(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), token="s3cret") as service:
        described = service.client.get("/docs.json", headers={"authorization": "Bearer s3cret"}).json()
        for path in [*described["paths"], "/"]:
            method = "POST" if "post" in described["paths"].get(path, {}) else "GET"
            health = path in ("/livez", "/readyz", "/healthz")
            for shown in ("", "Bearer s3cre", "Bearer s3cret2", "Basic czNjcmV0", "Bearer", "s3cret"):
                answer = service.client.request(method, path, headers={"authorization": shown} if shown else {})
                if health:
                    assert answer.status_code == 200
                else:
                    assert problem(answer) == (401, "unauthorized")
                    assert "s3cret" not in answer.text
        assert service.predict(PHOTO, authorization="Bearer s3cret").status_code == 200
        assert service.predict(PHOTO).status_code == 401
        assert raw.statuses(raw.once(service, raw.PHOTO_HEAD + b"Content-Length: 9999999\r\n\r\n")) == [401]
        assert "s3cret" not in service.log()


def test_a_storm_of_connections_leaves_nothing_open(service: Running) -> None:
    before = descriptors(service.process.pid)

    def storm(number: int) -> None:
        for _ in range(25):
            with raw.connection(service) as client:
                if number % 2:
                    client.send(raw.photo_request(PHOTO)[: number * 100])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(storm, range(16)))
    assert service.client.get("/livez").status_code == 200  # it has come to the last of them
    until(lambda: descriptors(service.process.pid) <= before + 2, 40)
    until(lambda: nobody_in_work(service))
    assert service.predict(PHOTO).status_code == 200
    assert service.metric("petpark_workers_replaced") == 0
