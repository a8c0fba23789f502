"""Who may ask, and how much at a time."""

import base64
from contextlib import ExitStack
from typing import Any

import pytest

from petpark.config.serve import ServeSettings
from petpark.deploy.serving.guard import Guard
from petpark.deploy.serving.http import Problem
from tests.deploy.asgi import request

TOKEN = "s3cret-ü:x"


def guard(**settings: Any) -> Guard:
    return Guard(ServeSettings(**settings))


def basic(text: str | bytes) -> bytes:
    return b"Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    "shown",
    [f"Bearer {TOKEN}", f"bearer   {TOKEN} ", f"BEARER {TOKEN}", basic(f"anyone:{TOKEN}"), basic(f":{TOKEN}"),
     basic(b"\xff\xfe:" + TOKEN.encode())],
)  # fmt: skip
def test_the_token_opens_in_both_ways(shown: str | bytes) -> None:
    guard(token=TOKEN).authorise(request(headers={"authorization": shown}))


@pytest.mark.parametrize(
    "shown",
    [
        "", "Bearer", "Bearer ", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}",
        f"Token {TOKEN}", f"Basic {TOKEN}", basic(TOKEN), basic(f"{TOKEN}:"), basic(f"a:{TOKEN} "), "Basic \xff",
        b"Basic \xff\xfe", b"Bearer \xff", b"\xff\xff", "Basic =", "Basic " + "A" * 30_000, "Bearer " + "A" * 30_000,
    ],
)  # fmt: skip
def test_nothing_else_opens(shown: str | bytes) -> None:
    with pytest.raises(Problem) as problem:
        guard(token=TOKEN).authorise(request(headers={"authorization": shown}))
    assert problem.value.status == 401
    assert problem.value.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert TOKEN not in str(problem.value.members())


def test_without_a_token_all_may_ask() -> None:
    guard().authorise(request())
    guard().authorise(request(headers={"authorization": "Bearer whatever"}))


def test_each_client_has_its_places_and_all_together_theirs() -> None:
    keeper = guard(requests=3, client_requests=2)
    with ExitStack() as stack:
        for peer in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
            stack.enter_context(keeper.admitted(request(peer=peer)))
        assert keeper.in_work == 3
        with pytest.raises(Problem) as problem, keeper.admitted(request(peer="10.0.0.3")):
            pass
        assert (problem.value.status, problem.value.reason) == (503, "busy")
        assert problem.value.headers == {"Retry-After": "1"}
    assert keeper.in_work == 0
    with keeper.admitted(request(peer="10.0.0.1")), keeper.admitted(request(peer="10.0.0.1")):
        with pytest.raises(Problem) as problem, keeper.admitted(request(peer="10.0.0.1")):
            pass
        assert (problem.value.status, problem.value.reason) == (429, "too-many")
        assert problem.value.headers == {"Retry-After": "1"}
        with keeper.admitted(request(peer="10.0.0.2")):
            assert keeper.in_work == 3


def test_places_come_back_whatever_happens() -> None:
    keeper = guard(requests=1, client_requests=1)
    for error in (Problem, ZeroDivisionError, KeyboardInterrupt, GeneratorExit):
        with pytest.raises(error), keeper.admitted(request()):
            raise error(500, "x") if error is Problem else error  # type: ignore[arg-type]
        assert keeper.in_work == 0
    with keeper.admitted(request()):
        pass
    assert not keeper._clients


def test_bodies_in_memory_are_bounded_and_freed() -> None:
    keeper = guard(max_bytes=64 << 20)
    first, second = request(), request()
    with keeper.admitted(first):
        first.size = 250 << 20
        first.hold(250 << 20)
        with keeper.admitted(second):
            second.size = 7 << 20
            with pytest.raises(Problem) as problem:
                second.hold(7 << 20)
            assert (problem.value.status, problem.value.reason) == (503, "busy")
            assert problem.value.headers == {"Retry-After": "1"}
        second = request()
        with keeper.admitted(second):
            second.size = 6 << 20
            second.hold(6 << 20)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "1.1.1.1, 10.0.0.7", "1.1.1.1"),
        ("10.0.0.1", "1.1.1.1,10.0.0.7 , 10.0.0.8", "1.1.1.1"),
        ("10.0.0.1", "10.0.0.7", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "unknown"),
        ("10.0.0.1", "x" * 1000, "x" * 64),
        ("10.0.0.1", b"\xff\xfe", "ÿþ"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("fd00::1", "1.1.1.1", "1.1.1.1"),
        ("192.0.2.1", "1.1.1.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "1.1.1.1", "::ffff:192.0.2.1"),
        ("", "1.1.1.1", ""),
    ],
)
def test_a_trusted_proxy_tells_the_client_and_nobody_else_does(peer: str, forwarded: str | bytes, client: str) -> None:
    keeper = guard(trusted_proxies="10.0.0.0/8, fd00::/8,")
    assert keeper.client(request(headers={"x-forwarded-for": forwarded}, peer=peer)) == client


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert guard().client(request(headers={"x-forwarded-for": "1.1.1.1"}, peer="10.0.0.1")) == "10.0.0.1"
