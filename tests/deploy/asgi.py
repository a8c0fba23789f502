"""Requests and answers of ASGI without a server."""

from collections.abc import Mapping, Sequence
from typing import Any

from petpark.deploy.serving.http import Answer, Message, Request


def request(
    path: str = "/predict",
    method: str = "POST",
    headers: Mapping[str, str | bytes] | None = None,
    messages: Sequence[Message] = (),
    peer: str = "127.0.0.1",
) -> Request:
    """A request whose body comes in these messages; then the client goes away."""
    coming = iter([*messages, {"type": "http.disconnect"}])
    pairs = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in (headers or {}).items()
    ]
    scope = {"path": path, "method": method, "query_string": b"", "client": (peer, 1), "headers": pairs}

    async def receive() -> Message:
        return next(coming)

    return Request(scope, receive)


def piece(data: bytes, *, more: bool = False) -> dict[str, Any]:
    """A message that holds a piece of a body."""
    return {"type": "http.request", "body": data, "more_body": more}


async def sent(
    answer: Answer, always: Mapping[str, str] | None = None, **options: bool
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer as a server would send it."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await answer.send(send, always or {}, **options)
    start, body = messages
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    assert len(headers) == len(start["headers"])
    return start["status"], headers, body["body"]
