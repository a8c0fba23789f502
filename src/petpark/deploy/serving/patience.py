"""Connections with strangers: uvicorn waits for ever for a slow one, and keeps whatever it sends ahead."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from petpark.deploy.serving.closing import ClosingTransport
from petpark.deploy.serving.guard import RETRY
from petpark.deploy.serving.http import PARTINGS, Problem

_MOST: Final = 32 << 10  # bytes of a head, and of whatever else is no body
_PIPELINE: Final = 32  # requests of one connection that wait for an earlier one's answer
_MALFORMED: Final = Problem(HTTPStatus.BAD_REQUEST, "This is no well-formed HTTP/1.1 request.", "malformed")
_TOO_LARGE: Final = Problem(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head is larger than {_MOST:,} bytes.", "head-too-large"
)
_TOO_SLOW: Final = Problem(HTTPStatus.REQUEST_TIMEOUT, "The request's head did not arrive in time.", "slow-head")
_CROWDED: Final = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections are open: try again.", "busy", RETRY)


class _Refused(Exception):  # noqa: N818 - ends the parsing, from one of its callbacks
    pass


class PatientProtocol(HttpToolsProtocol):
    """Bounds how long a connection may take, and how much it may send ahead.

    The head of a request must come within uvicorn's `timeout_keep_alive`, and be of bounded size. Answers must be
    read within twice that time. Where `limit_concurrency` connections are open, a new one takes the place of that
    which has been idle for longest; where none is idle, it is refused.
    """

    transport: ClosingTransport

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._connections, self.limit_concurrency = self.limit_concurrency, None
        self._alarms: dict[str, asyncio.TimerHandle] = {}
        self._partings: set[Callable[[], None]] = set()
        self._since = self.loop.time()
        self._bare = 0
        self._inside = False
        self._upgrade = False
        self._refusal = _MALFORMED

    @property
    def idle(self) -> bool:
        """Whether no request of the client is in work."""
        return (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a first request."""
        welcome = self._connections is None or len(self.connections) < self._connections or self._displace()
        super().connection_made(ClosingTransport(cast("asyncio.Transport", transport), lambda: self._inside))
        if welcome:
            self._expect_head()
        else:
            self._refuse(_CROWDED)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        for name in list(self._alarms):
            self._calm(name)
        self._unset_keepalive_if_required()
        self.transport.lost()
        for part in list(self._partings):
            part()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; where the connection is to be closed, throw it away."""
        if self.transport.is_closing():
            return
        if self.idle and "head" not in self._alarms:
            self._expect_head()
        self._unset_keepalive_if_required()
        self._bare += len(data)
        self._feed(data)
        if self._bare > _MOST:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._inside = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head has come."""
        self._bare = 0
        self._calm("head")
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > _MOST:
            self._refusal = _TOO_LARGE
            raise _Refused
        if len(self.pipeline) >= _PIPELINE or self.parser.get_method() == b"CONNECT":
            raise _Refused
        self._upgrade = self.parser.should_upgrade()
        if not self._upgrade:
            self.scope["extensions"] = {PARTINGS: self._partings}  # type: ignore[dict-item] # a set
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come: what comes ahead is counted anew."""
        self._bare = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come whole."""
        if self._upgrade:
            return
        self._bare, self._inside = 0, False
        self._since = self.loop.time()
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # paused by a large body: else nobody would notice that the client goes away

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._alarms["answer"] = self.loop.call_later(2 * self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read on."""
        self._calm("answer")
        super().resume_writing()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal)

    def _stay(self, rest: bytes) -> None:
        """Read a request that offers to change the protocol as the plain one that it is.

        Java's client and curl offer HTTP/2 so, and send a body with it; the parser would take that for the other
        protocol.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % each for each in self.headers if each[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"\r\n".join((*lines, b"", rest)))

    def _displace(self) -> bool:
        """Close the connection that has been idle for longest; false where there is none."""
        others = [each for each in self.connections if isinstance(each, PatientProtocol) and each.idle]
        if others:
            min(others, key=lambda each: each._since).transport.abort()  # noqa: SLF001 - of the same class
        return bool(others)

    def _expect_head(self) -> None:
        self._alarms["head"] = self.loop.call_later(self.timeout_keep_alive, self._refuse, _TOO_SLOW)

    def _calm(self, alarm: str) -> None:
        handle = self._alarms.pop(alarm, None)
        if handle is not None:
            handle.cancel()

    def _refuse(self, problem: Problem) -> None:
        if not self.transport.is_closing():
            self.transport.write(_raw(problem))
            self.transport.close()


def _raw(problem: Problem) -> bytes:
    """An answer where no request has come that the application could answer."""
    answer = problem.answer()
    headers = {"Content-Type": answer.kind, "Content-Length": len(answer.body), "Connection": "close", **answer.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"".join((STATUS_LINE[answer.status], lines.encode(), b"\r\n", answer.body))
