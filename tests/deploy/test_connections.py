"""Connections of slow, greedy and careless clients: each is bounded in time and memory, and harms no other."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import draw, jpeg
from tests.deploy import raw
from tests.deploy.memory import resident
from tests.deploy.serving import Running, problem, running

SECONDS = 1  # to send a head, or a body
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    seconds = str(SECONDS)
    with running(folder, model=str(model), header_seconds=seconds, body_seconds=seconds, connections="30") as found:
        yield found


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(draw(1))


def told(answer: bytes) -> str:
    found = re.search(rb'"reason": "([a-z-]+)"', answer)
    assert found, answer
    assert b"application/problem+json" in answer
    return found[1].decode()


def test_a_head_that_comes_slowly_is_cut_off_with_a_reason(service: Running) -> None:
    with raw.connection(service) as client:
        client.send(b"GET /livez HTTP/1.1\r\n")
        _, seconds = client.send_while_open(b"a: b\r\n", 6 * SECONDS, pause=0.1)
        answer, closed = client.read()
    assert closed
    assert raw.statuses(answer) in ([408], [])  # sent long before it was read: the last bytes may have reset it
    assert SECONDS - 0.2 < seconds < 5 * SECONDS


def test_a_head_that_never_comes_is_cut_off_with_a_reason(service: Running) -> None:
    begin = time.monotonic()
    answer = raw.once(service, b"GET /livez HTTP/1.1\r\nHost")
    assert raw.statuses(answer) == [408]
    assert told(answer) == "slow-head"
    assert SECONDS - 0.2 < time.monotonic() - begin < 5 * SECONDS


def test_a_connection_without_a_request_is_closed(service: Running) -> None:
    assert raw.statuses(raw.once(service, b"")) == [408]


def test_a_kept_connection_without_another_request_is_closed_in_silence(service: Running) -> None:
    assert raw.statuses(raw.once(service, GET)) == [200]


def test_a_second_head_that_comes_slowly_is_cut_off_too(service: Running) -> None:
    answer = raw.once(service, GET + b"GET /livez HTTP/1.1\r\nHos")
    assert raw.statuses(answer) in ([200], [200, 408])


def test_a_body_that_comes_slowly_is_cut_off_with_a_reason(service: Running) -> None:
    with raw.connection(service) as client:
        client.send(raw.PHOTO_HEAD + b"Content-Length: 1000\r\n\r\nabc")
        answer, closed = client.read()
    assert closed
    assert raw.statuses(answer) == [408]
    assert told(answer) == "slow-body"


def test_a_client_that_ends_inside_a_body_is_let_go(service: Running) -> None:
    with raw.connection(service) as client:
        client.send(raw.PHOTO_HEAD + b"Content-Length: 1000\r\n\r\nabc")
        client.half_close()
        _, closed = client.read()
    assert closed
    assert nobody_in_work(service)


def nobody_in_work(service: Running) -> bool:
    """Whether, soon, no request is in work."""
    end = time.monotonic() + 5
    while service.metric("petpark_requests_in_work") > 0 and time.monotonic() < end:
        time.sleep(0.05)
    return service.metric("petpark_requests_in_work") == 0


@pytest.mark.parametrize("ahead", [b"", GET], ids=["first", "pipelined"])
def test_an_endless_head_is_cut_off_and_costs_no_memory(service: Running, ahead: bytes) -> None:
    before = resident(service.process.pid)
    with raw.connection(service) as client:
        client.send(ahead + b"GET /livez HTTP/1.1\r\nA: ")
        client.send_while_open(b"a" * 65536, 5)
        assert client.read()[1]
    assert resident(service.process.pid) - before < 16 << 20


def test_an_endless_head_behind_a_request_in_work_costs_no_memory(service: Running, photo: bytes) -> None:
    [worker] = service.workers()
    os.kill(worker, signal.SIGSTOP)
    before = resident(service.process.pid)
    with raw.connection(service) as client:
        client.send(raw.photo_request(photo) + b"GET /livez HTTP/1.1\r\nA: ")
        client.send_while_open(b"a" * 65536, 2)
        after = resident(service.process.pid)
    os.kill(worker, signal.SIGCONT)
    assert after - before < 16 << 20
    assert nobody_in_work(service)


def test_endless_trailers_are_cut_off_and_cost_no_memory(service: Running) -> None:
    before = resident(service.process.pid)
    with raw.connection(service) as client:
        client.send(raw.PHOTO_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        client.send_while_open(b"trailer: another\r\n" * 5000, 5)
        assert client.read()[1]
    assert resident(service.process.pid) - before < 16 << 20


def test_a_head_of_100_kb_is_refused_even_if_it_comes_at_once(service: Running) -> None:
    for padding in (b"A: " + b"a" * 100_000 + b"\r\n", b"a: b\r\n" * 10_000):
        answer = raw.once(service, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + padding + b"\r\n")
        assert raw.statuses(answer) == [431]
        assert told(answer) == "head-too-large"


@pytest.mark.parametrize("how", ["length", "chunks"])
def test_a_body_of_11_mb_is_refused_and_the_client_reads_why(service: Running, how: str) -> None:
    pieces = [bytes(1 << 20)] * 11
    for _ in range(3):
        body = b"".join(pieces) if how == "length" else iter(pieces)
        answer = service.client.post("/predict", content=body, headers={"content-type": "image/jpeg"})
        assert problem(answer) == (413, "too-large")
        assert answer.headers["connection"] == "close"


def test_a_client_that_sends_all_before_it_reads_gets_its_answer_without_a_reset(service: Running) -> None:
    """As on Windows, where a reset throws away what has come: RFC 9112, section 9.6."""
    size = 11 << 20
    with raw.connection(service) as client:
        assert client.send(raw.PHOTO_HEAD + b"Content-Length: %d\r\n\r\n" % size + bytes(size)), "reset while it sends"
        answer, closed = client.read()
    assert raw.statuses(answer) == [413]
    assert closed


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (raw.PHOTO_HEAD, 413),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n", 200),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n", 404),
    ],
)
def test_an_endless_body_is_not_read_to_its_end(service: Running, head: bytes, status: int) -> None:
    before = resident(service.process.pid)
    with raw.connection(service) as client:
        client.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        _, seconds = client.send_while_open(b"10000\r\n" + bytes(65536) + b"\r\n", 20)
        answer, closed = client.read()
    assert closed
    assert seconds < 10
    assert raw.statuses(answer) in ([status], [])
    assert resident(service.process.pid) - before < 32 << 20


def test_a_trickle_that_nobody_asked_for_holds_no_connection(service: Running) -> None:
    with raw.connection(service) as client:
        client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.send_while_open(b"1\r\na\r\n", 10, pause=0.1)[1] < 6


def test_a_client_that_asks_much_ahead_is_let_go(service: Running) -> None:
    before = resident(service.process.pid)
    with raw.connection(service, receive_buffer=4096) as client:
        client.send_while_open(b"GET /docs.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000, 3)
    assert resident(service.process.pid) - before < 16 << 20


def test_requests_ahead_of_their_answers_are_answered_in_order(service: Running, photo: bytes) -> None:
    with raw.connection(service) as client:
        client.send(raw.photo_request(photo) + b"GET /nothing HTTP/1.1\r\n\r\n" + GET + b"PUT / HTTP/1.1\r\n\r\n")
        answers, _ = client.read()
    assert raw.statuses(answers)[:3] == [200, 404, 200]


def test_a_client_that_reads_nothing_is_let_go(service: Running) -> None:
    with raw.connection(service, receive_buffer=4096) as client:
        for _ in range(200):
            if not client.send(b"GET /docs.json HTTP/1.1\r\nHost: x\r\n\r\n" * 10):
                break
            time.sleep(0.01)
        else:
            time.sleep(2 * SECONDS + 3)
            assert not all(client.send(GET) for _ in range(3))
    assert nobody_in_work(service)


def test_idle_connections_give_way_to_new_ones(service: Running) -> None:
    with ExitStack() as stack:
        begun = [stack.enter_context(raw.connection(service)) for _ in range(60)]
        assert all(client.send(b"GET /li") for client in begun[-1:])
        assert raw.statuses(raw.once(service, GET)) == [200]
        assert httpx.get(f"{service.url}/livez").status_code == 200


@contextmanager
def asking(service: Running) -> Iterator[raw.Connection]:
    """A connection whose request the service has seen, and that is not idle therefore."""
    with raw.connection(service) as client:
        client.send(raw.PHOTO_HEAD + b"Content-Length: 1000\r\n\r\nabc")
        time.sleep(0.05)
        yield client


def test_no_more_connections_are_taken_than_are_allowed(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), connections="5", body_seconds="3") as few, ExitStack() as stack:
        busy = [stack.enter_context(asking(few)) for _ in range(12)]
        answers = [client.read() for client in busy]
    assert all(closed for _, closed in answers)
    refused = [answer for answer, _ in answers if raw.statuses(answer) == [503]]
    assert 5 <= len(refused) <= 8
    assert all(b"Retry-After: 1" in answer for answer in refused)


def test_a_client_that_offers_http2_gets_its_answer_in_http1(service: Running, photo: bytes) -> None:
    """As Java's client does and `curl --http2`: the body comes after the offer."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    whole = raw.photo_request(photo, *offer)
    for cut in (len(whole), 60, whole.index(photo) + 5):
        with raw.connection(service) as client:
            client.send(whole[:cut])
            time.sleep(0.05)
            client.send(whole[cut:] + GET)
            answers, _ = client.read()
        assert raw.statuses(answers) == [200, 200]
        assert b'"label"' in answers


def test_a_websocket_is_not_spoken(service: Running) -> None:
    answer = raw.once(
        service, GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert raw.statuses(answer) == [200]
