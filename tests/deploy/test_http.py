"""Requests and answers."""

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus

import pytest

from petpark.deploy.serving.http import Answer, Message, Problem, Request, as_json
from tests.deploy.asgi import piece, request, sent


def body(asked: Request, most: int = 10, seconds: float = 5) -> bytes:
    return asyncio.run(asked.body(most, seconds))


def refusal(asked: Request, most: int = 10) -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        body(asked, most)
    return int(problem.value.status), problem.value.reason


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(b"abcdef")],
        [piece(b"abc", more=True), piece(b"def")],
        [piece(b"", more=True), piece(b"abcdef", more=True), piece(b"")],
        [piece(letter, more=True) for letter in (b"a", b"b", b"c", b"d", b"e", b"f")] + [{"type": "http.request"}],
    ],
)
def test_a_body_is_read_whole_however_it_comes(pieces: Sequence[Message]) -> None:
    asked = request(headers={"content-length": "6"}, messages=pieces)
    assert asked.unread
    assert body(asked) == b"abcdef"
    assert not asked.unread
    assert asked.size == 6


def test_a_body_of_the_greatest_size_is_taken_and_one_more_byte_is_not() -> None:
    assert body(request(messages=[piece(bytes(10))])) == bytes(10)
    assert refusal(request(messages=[piece(bytes(11))])) == (413, "too-large")
    pieces = [piece(bytes(6), more=True), piece(bytes(5), more=True), piece(bytes(1 << 20))]
    asked = request(headers={"transfer-encoding": "chunked"}, messages=pieces)
    assert refusal(asked) == (413, "too-large")
    assert asked.unread
    assert asked.size == 11


@pytest.mark.parametrize("length", ["11", "9" * 18, "-1", "+5", "0x5", "five", "5, 5", "", "٣"])
def test_a_length_that_is_too_great_or_none_is_refused_unread(length: str) -> None:
    asked = request(headers={"content-length": length}, messages=[piece(b"abc")])
    assert refusal(asked) == (413, "too-large")
    assert asked.size == 0


@pytest.mark.parametrize("pieces", [[], [piece(b"abc", more=True)]])
def test_a_client_that_goes_away_inside_the_body_is_told_nothing(pieces: Sequence[Message]) -> None:
    asked = request(headers={"content-length": "6"}, messages=pieces)
    assert refusal(asked) == (400, "cut-short")
    assert asked.unread


def test_a_body_that_takes_too_long_is_given_up() -> None:
    async def forever() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    asked = Request({**_SCOPE, "headers": [(b"content-length", b"5")]}, forever)
    with pytest.raises(Problem) as problem:
        body(asked, seconds=0.05)
    assert (problem.value.status, problem.value.reason) == (HTTPStatus.REQUEST_TIMEOUT, "slow-body")


_SCOPE = {"path": "/", "method": "POST", "query_string": b"", "client": None}


def test_each_piece_is_counted_and_may_be_refused() -> None:
    held: list[int] = []

    def hold(size: int) -> None:
        held.append(size)
        if sum(held) > 5:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "full", "busy")

    asked = request(messages=[piece(b"abc", more=True), piece(b"def", more=True), piece(b"g")])
    asked.hold = hold
    assert refusal(asked) == (503, "busy")
    assert held == [3, 3]
    assert asked.size == 6


@pytest.mark.parametrize(
    ("headers", "unread"),
    [
        ({}, False),
        ({"content-length": "0"}, False),
        ({"content-length": "1"}, True),
        ({"transfer-encoding": "x"}, True),
    ],
)
def test_a_request_knows_whether_a_body_is_to_come(headers: dict[str, str], unread: bool) -> None:
    assert request(headers=headers).unread is unread


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (b"image/jpeg", "image/jpeg"),
        (b" Image/JPEG ; q=1; charset=x", "image/jpeg"),
        (b"", ""),
        (b";;;", ""),
        (b"\xff\xfe/\x00", "ÿþ/\x00"),
    ],
)
def test_the_media_type_is_read_from_any_bytes(header: bytes, kind: str) -> None:
    assert request(headers={"content-type": header}).kind == kind


def test_a_request_of_a_socket_without_address_has_a_peer() -> None:
    assert Request({**_SCOPE, "headers": []}, None).peer == ""  # type: ignore[arg-type]


def test_an_answer_bears_its_headers_and_those_of_all() -> None:
    answer = as_json({"wort": "größer"}, {"X-One": "1"}, HTTPStatus.ACCEPTED)
    status, headers, found = asyncio.run(sent(answer, {"Petpark-Version": "1.2.0"}))
    assert status == 202
    assert json.loads(found) == {"wort": "größer"}
    assert headers == {
        "content-type": "application/json",
        "content-length": str(len(found)),
        "petpark-version": "1.2.0",
        "x-one": "1",
    }


def test_an_answers_own_header_goes_before_that_of_all() -> None:
    _, headers, _ = asyncio.run(sent(Answer(b"", headers={"X-One": "own"}), {"X-One": "all"}))
    assert headers["x-one"] == "own"


def test_an_answer_to_head_tells_the_length_and_sends_nothing() -> None:
    _, headers, found = asyncio.run(sent(Answer(b"12345"), head=True))
    assert headers["content-length"] == "5"
    assert found == b""


def test_an_answer_may_say_that_it_is_the_last() -> None:
    _, headers, _ = asyncio.run(sent(Answer(b""), close=True))
    assert headers["connection"] == "close"


@pytest.mark.parametrize(("reason", "kind"), [("", "about:blank"), ("too-slow", "urn:petpark:problem:too-slow")])
def test_a_problem_is_told_as_rfc_9457_has_it(reason: str, kind: str) -> None:
    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Größer als \x00 „erlaubt“.", reason, {"Retry-After": "1"})
    status, headers, found = asyncio.run(sent(problem.answer()))
    told = json.loads(found)
    assert status == told["status"] == 422
    assert told["type"] == kind
    assert told["title"] == "Unprocessable Entity"
    assert told["detail"] == "Größer als \x00 „erlaubt“."
    assert told.get("reason", "") == reason
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "1"
