"""Requests that no client library makes: each is answered as HTTP has it, or its connection is closed."""

import random
import re
from collections.abc import Iterator

import pytest

from tests.conftest import draw, jpeg
from tests.deploy import raw
from tests.deploy.serving import Running

HOST = b"Host: x\r\n"
PHOTO = jpeg(draw(1))
ODD: dict[str, tuple[bytes, int]] = {
    "options": (b"OPTIONS /predict HTTP/1.1\r\n\r\n", 405),
    "options of all": (b"OPTIONS * HTTP/1.1\r\n\r\n", 404),
    "trace": (b"TRACE /livez HTTP/1.1\r\n\r\n", 405),
    "connect": (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", 400),
    "connect to a path": (b"CONNECT /livez HTTP/1.1\r\n\r\n", 400),
    "put": (b"PUT /predict HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
    "get of what is posted to": (b"GET /predict HTTP/1.1\r\n\r\n", 405),
    "post to what is got": (b"POST /livez HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
    "unknown method": (b"BREW /livez HTTP/1.1\r\n\r\n", 400),
    "endless method": (b"A" * 40_000 + b" /livez HTTP/1.1\r\n\r\n", 400),
    "whole address": (b"GET http://example.org/livez HTTP/1.1\r\n\r\n", 200),
    "whole address without a path": (b"GET http://example.org HTTP/1.1\r\n\r\n", 400),
    "address with a name in it": (b"GET http://a:b@x:99999/livez HTTP/1.1\r\n\r\n", 400),
    "fragment": (b"GET /livez#part HTTP/1.1\r\n\r\n", 200),
    "two slashes": (b"GET //livez HTTP/1.1\r\n\r\n", 404),
    "slash at the end": (b"GET /livez/ HTTP/1.1\r\n\r\n", 404),
    "upwards": (b"GET /page/../livez HTTP/1.1\r\n\r\n", 404),
    "upwards, encoded": (b"GET /page/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n\r\n", 404),
    "upwards, encoded twice": (b"GET /page/%252e%252e%252fservice.py HTTP/1.1\r\n\r\n", 404),
    "slashes, encoded": (b"GET /page%2fpage.css HTTP/1.1\r\n\r\n", 200),
    "backslashes": (b"GET /page\\..\\service.py HTTP/1.1\r\n\r\n", 404),
    "a file of Python": (b"GET /page/../service.py HTTP/1.1\r\n\r\n", 404),
    "zero byte, encoded": (b"GET /livez%00 HTTP/1.1\r\n\r\n", 404),
    "half an escape": (b"GET /livez%2 HTTP/1.1\r\n\r\n", 404),
    "no UTF-8, encoded": (b"GET /%ff%fe HTTP/1.1\r\n\r\n", 404),
    "letters, encoded": (b"GET /%6civez HTTP/1.1\r\n\r\n", 200),
    "bytes beyond ASCII": (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 400),
    "no path": (b"GET ?a HTTP/1.1\r\n\r\n", 400),
    "path of 20 kB": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 404),
    "question of 30 kB": (b"POST /explain?" + b"a=1&" * 7500 + b" HTTP/1.1\r\n\r\n", 415),
    "question of bytes": (b"GET /livez?%ff=%00&&&=;a[]=1 HTTP/1.1\r\n\r\n", 200),
    "HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    "HTTP/1.0, chunked": (b"POST /feedback HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 415),
    "HTTP/2 at once": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/9.9": (b"GET /livez HTTP/9.9\r\n\r\n", 400),
    "no version": (b"GET /livez HTTP\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), 400),
    "SMTP": (b"EHLO example.org\r\n", 400),
    "zeros": (bytes(1000), 400),
    "many empty lines": (b"\r\n" * 50_000, 431),
    "lines that end in LF alone": (b"GET /livez HTTP/1.1\nHost: x\n\n", 400),
    "folded header": (b"GET /livez HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
    "folded length": (b"POST /predict HTTP/1.1\r\nContent-Length:\r\n 3\r\n\r\nabc", 400),
    "CR in a header": (b"GET /livez HTTP/1.1\r\nA: b\rc\r\n\r\n", 400),
    "zero byte in a header": (b"GET /livez HTTP/1.1\r\nA: b\0c\r\n\r\n", 400),
    "space before the colon": (b"GET /livez HTTP/1.1\r\nA : b\r\n\r\n", 400),
    "header without a name": (b"GET /livez HTTP/1.1\r\n: b\r\n\r\n", 400),
    "negative length": (raw.PHOTO_HEAD + b"Content-Length: -1\r\n\r\nab", 400),
    "length beyond 64 bits": (raw.PHOTO_HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nab", 400),
    "length of 20 digits": (raw.PHOTO_HEAD + b"Content-Length: 18446744073709551615\r\n\r\nab", 413),
    "length in hex": (raw.PHOTO_HEAD + b"Content-Length: 0x2\r\n\r\nab", 400),
    "length with a sign": (raw.PHOTO_HEAD + b"Content-Length: +2\r\n\r\nab", 400),
    "two lengths": (raw.PHOTO_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400),
    "one length, twice": (raw.PHOTO_HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400),
    "list of lengths": (raw.PHOTO_HEAD + b"Content-Length: 2, 2\r\n\r\nab", 400),
    "length and chunks": (
        raw.PHOTO_HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n",
        400,
    ),
    "chunks and more": (raw.PHOTO_HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400),
    "no chunks": (raw.PHOTO_HEAD + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 400),
    "almost chunks": (raw.PHOTO_HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunks, space": (raw.PHOTO_HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "chunk of no size": (raw.PHOTO_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n", 400),
    "chunk of negative size": (raw.PHOTO_HEAD + b"Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n", 400),
    "chunk of a huge size": (raw.PHOTO_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 18 + b"\r\nab", 400),
    "chunk without an end": (raw.PHOTO_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", 400),
    "empty body": (raw.PHOTO_HEAD + b"Content-Length: 0\r\n\r\n", 422),
    "no body": (raw.PHOTO_HEAD + b"\r\n", 422),
    "no kind": (b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 415),
    "source with bytes beyond ASCII": (raw.photo_request(PHOTO, b"Petpark-Source: \xff\xfe"), 400),
    "source of 65 letters": (raw.photo_request(PHOTO, b"Petpark-Source: " + b"a" * 65), 400),
    "source with a line": (raw.photo_request(PHOTO, b"Petpark-Source: a%0d%0aX: y"), 400),
    "authorization of bytes": (raw.photo_request(PHOTO, b"Authorization: Basic \xff\xfe"), 200),
    "two kinds": (raw.photo_request(PHOTO, b"Content-Type: text/plain"), 415),
    "expects what is unknown": (raw.photo_request(PHOTO, b"Expect: 200-maybe"), 200),
    "kind of 30 kB": (b"POST /predict HTTP/1.1\r\nContent-Type: " + b"a" * 30_000 + b"\r\n\r\n", 415),
    "Accept of 30 kB": (b"GET /docs.json HTTP/1.1\r\nAccept: " + b"*/*," * 7500 + b"\r\n\r\n", 200),
}


@pytest.fixture(scope="module", autouse=True)
def unharmed(service: Running) -> Iterator[None]:
    """Whatever was sent: there are no new series, no new worker, nothing in work, and nothing was logged."""
    service.predict(PHOTO)
    before = series(service)
    yield
    assert series(service) - before <= set()
    assert service.metric("petpark_workers_replaced") == 0
    assert service.metric("petpark_requests_in_work") == 0
    assert len(service.log().splitlines()) == 1, service.log()[-2000:]


def series(service: Running) -> set[str]:
    """The names of all figures with their labels, without those that count by status or reason."""
    lines = service.client.get("/metrics").text.splitlines()
    names = {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}
    return {name for name in names if not re.search("status=|reason=|petpark_request_seconds", name)}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_request_gets_its_answer(service: Running, name: str) -> None:
    request, status = ODD[name]
    with raw.connection(service) as client:
        client.send(request)
        answer = client.read_one()
    assert raw.statuses(answer) == [status]
    if status >= 400:
        assert b"application/problem+json" in answer
        assert b"Traceback" not in answer


def test_a_request_that_was_smuggled_in_a_body_is_not_answered(service: Running) -> None:
    inner = b"GET /version HTTP/1.1\r\n\r\n"
    for head in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(inner) + 5),
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner),
        b"Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % len(inner),
    ):
        with raw.connection(service) as client:
            client.send(raw.PHOTO_HEAD + head + inner)
            answers, _ = client.read(0.3)
        assert b'"schema"' not in answers
        assert len(raw.statuses(answers)) == 1


def test_http_0_9_is_answered_or_closed(service: Running) -> None:
    assert raw.once(service, b"GET /livez\r\n\r\n")


def test_an_expectation_is_met_only_where_the_body_is_wanted(service: Running) -> None:
    head = raw.PHOTO_HEAD + b"Expect: 100-continue\r\n"
    with raw.connection(service) as client:
        client.send(head + b"Content-Length: %d\r\n\r\n" % len(PHOTO))
        assert client.read(0.3)[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(PHOTO)
        assert raw.statuses(client.read_one()) == [200]
    for refused, status in (
        (head + b"Content-Length: 99999999\r\n\r\n", 413),
        (head.replace(b"image/jpeg", b"text/plain") + b"Content-Length: 5\r\n\r\n", 415),
        (head.replace(b"/predict", b"/nothing") + b"Content-Length: 5\r\n\r\n", 404),
    ):
        answer = raw.once(service, refused)
        assert raw.statuses(answer) == [status]
        assert b"connection: close" in answer


@pytest.mark.parametrize("path", ["/livez", "/version", "/docs.json", "/metrics", "/", "/nothing", "/predict"])
def test_head_gets_the_head_of_what_get_gets(service: Running, path: str) -> None:
    got, head = service.client.get(path), service.client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":
        assert head.headers["content-length"] == str(len(got.content))


def test_after_head_the_connection_goes_on(service: Running) -> None:
    with raw.connection(service) as client:
        client.send(b"HEAD /docs.json HTTP/1.1\r\n\r\nHEAD /nothing HTTP/1.1\r\n\r\nGET /livez HTTP/1.0\r\n\r\n")
        answers, closed = client.read()
    assert raw.statuses(answers) == [200, 404, 200]
    assert answers.endswith(b'{"status": "alive"}')
    assert closed


def test_after_an_unread_body_the_connection_ends(service: Running) -> None:
    for request in (b"PUT /predict HTTP/1.1\r\n", b"POST /nothing HTTP/1.1\r\n", b"POST /predict HTTP/1.1\r\n"):
        answers = raw.once(service, request + b"Content-Length: 26\r\n\r\nGET /livez HTTP/1.1\r\nA: b\r\n\r\n")
        assert len(raw.statuses(answers)) == 1
        assert b"connection: close" in answers


def test_unknown_paths_and_methods_make_no_new_series(service: Running) -> None:
    rng = random.Random(1)
    before = series(service)
    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "HEAD"]
    for number in range(500):
        path = f"/{rng.choice(('', 'page/', 'predict/', 'metrics/'))}{rng.getrandbits(64):x}-{number}?{number}"
        answer = service.client.request(rng.choice(methods), path, headers={f"X-{number}": "1"})
        assert answer.status_code == 404
    service.predict(PHOTO, **{"petpark-source": "a-new-camera"})
    assert series(service) == before
    text = service.client.get("/metrics").text
    assert set(re.findall(r'route="([^"]*)"', text)) <= {
        "none", "predict", "explain", "feedback", "version", "docs", "metrics", "health", "page",
    }  # fmt: skip
    assert len(text.splitlines()) < 400
