"""Requests and answers of the service, straight on ASGI: what a web framework would add costs as much as the rest."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PARTINGS: Final = "petpark.partings"  # an extension of the ASGI scope
JSON: Final = "application/json"
_SLUG: Final = "urn:petpark:problem:"


class Problem(Exception):  # noqa: N818 - the name of RFC 9457
    """An answer that is no success, told as RFC 9457 has it.

    Args:
        status: HTTP status.
        detail: what is wrong and what to do, one sentence.
        reason: a word for programs.
        headers: further headers of the answer.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, reason: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.reason, self.headers = status, detail, reason, headers or {}

    def members(self) -> dict[str, Any]:
        """The members of the problem's object."""
        kind = f"{_SLUG}{self.reason}" if self.reason else "about:blank"
        members = {
            "type": kind,
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
        }
        return members | ({"reason": self.reason} if self.reason else {})

    def answer(self) -> "Answer":
        """The answer that tells it."""
        body = json.dumps(self.members(), ensure_ascii=False).encode()
        return Answer(body, "application/problem+json", self.headers, self.status)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to a client."""

    body: bytes
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK

    async def send(self, send: Send, always: Mapping[str, str], *, head: bool = False, close: bool = False) -> None:
        """Send it with the headers that all answers bear; without its body where only the head was asked for."""
        headers = [(b"content-type", self.kind.encode()), (b"content-length", b"%d" % len(self.body))]
        named = {**always, **self.headers}
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()]
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": int(self.status), "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


def as_json(value: object, headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """An answer that holds JSON."""
    return Answer(json.dumps(value, ensure_ascii=False).encode(), headers=headers or {}, status=status)


class Request:
    """What came from a client."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.path: str = scope["path"]
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        self.peer: str = (scope.get("client") or ("",))[0]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.unread = self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers
        """Whether a body, or part of it, has not been taken from the connection."""
        self.size = 0
        """Bytes of the body that have come."""
        self.hold: Callable[[int], None] = lambda _: None
        """Told of each piece of the body; may refuse it."""
        self.partings: set[Callable[[], None]] = scope.get("extensions", {}).get(PARTINGS, set())
        """What is called if the client goes away, where the server tells."""
        self._receive = receive

    def header(self, name: bytes) -> str:
        """A header's value; empty where there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def kind(self) -> str:
        """The media type of the body, without parameters."""
        return self.header(b"content-type").partition(";")[0].strip().lower()

    async def body(self, most: int, seconds: float) -> bytes:
        """Read the body, whole.

        Raises:
            Problem: it is larger, it takes longer, or the client went away.
        """
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            raise _too_large(most)
        try:
            async with asyncio.timeout(seconds):
                return await self._parts(most)
        except TimeoutError:
            raise Problem(
                HTTPStatus.REQUEST_TIMEOUT, f"The body did not arrive within {seconds:g} s: send it again.", "slow-body"
            ) from None

    async def _parts(self, most: int) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise cut_short()
            part: bytes = message.get("body", b"")
            self.size += len(part)
            self.hold(len(part))
            if self.size > most:
                raise _too_large(most)
            parts.append(part)
            if not message.get("more_body", False):
                self.unread = False
                return b"".join(parts) if len(parts) > 1 else part


def cut_short() -> Problem:
    """What is counted where the client goes away; nobody reads it."""
    return Problem(HTTPStatus.BAD_REQUEST, "The connection ended before the answer.", "cut-short")


def _too_large(most: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is larger than {most:,} bytes: send a smaller photo.",
        "too-large",
    )
