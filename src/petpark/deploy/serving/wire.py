"""What the service and its inference workers say to each other over a socket pair: frames of plain numbers and JSON.

A worker decodes what strangers send, so nothing that it says is ever executed: no pickle.
"""

import json
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

HEAD: Final = struct.Struct("<IB")  # length of the payload, kind
_TARGET: Final = struct.Struct("<h")
_LENGTH: Final = struct.Struct("<I")
_FACTS: Final = struct.Struct("<5fII8s32s")

Payload = bytes | bytearray


class Kind(IntEnum):
    """What a frame holds."""

    HELLO = 0
    FAILED = 1
    PREDICT = 2
    PREDICTED = 3
    REFUSED = 4
    EXPLAIN = 5
    EXPLAINED = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker found on one photo."""

    probabilities: tuple[float, ...]
    embedding: bytes
    """Little-endian float32, [E]."""
    brightness: float
    contrast: float
    saturation: float
    decode_seconds: float
    model_seconds: float
    width: int
    height: int
    format: str
    sha256: bytes


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """One message, ready to be sent."""
    return HEAD.pack(len(payload), kind) + payload


def head(kind: Kind, payload: Payload) -> bytes:
    """What goes before a payload that is sent by itself, without a copy."""
    return HEAD.pack(len(payload), kind)


def pack_json(kind: Kind, value: Any) -> bytes:
    """One message that holds JSON."""
    return frame(kind, json.dumps(value).encode())


def pack_answer(answer: Answer) -> bytes:
    """One message that holds an answer."""
    facts = _FACTS.pack(
        answer.brightness,
        answer.contrast,
        answer.saturation,
        answer.decode_seconds,
        answer.model_seconds,
        answer.width,
        answer.height,
        answer.format.encode()[:8],
        answer.sha256,
    )
    count = len(answer.probabilities)
    return frame(Kind.PREDICTED, b"".join((facts, struct.pack(f"<{count}f", *answer.probabilities), answer.embedding)))


def unpack_answer(payload: bytes, labels: int) -> Answer:
    """Read an answer about so many labels.

    Raises:
        struct.error: it is none.
    """
    facts = _FACTS.unpack_from(payload)
    brightness, contrast, saturation, decode_seconds, model_seconds, width, height, kind, sha256 = facts
    end = _FACTS.size + 4 * labels
    return Answer(
        struct.unpack_from(f"<{labels}f", payload, _FACTS.size),
        payload[end:],
        brightness,
        contrast,
        saturation,
        decode_seconds,
        model_seconds,
        width,
        height,
        kind.rstrip(b"\0").decode(),
        sha256,
    )


def pack_target(target: int) -> bytes:
    """The label to explain, in front of a photo; -1 is the predicted one."""
    return _TARGET.pack(target)


def unpack_target(payload: Payload) -> tuple[int, Payload]:
    """The label to explain, and the photo."""
    return _TARGET.unpack_from(payload)[0], payload[_TARGET.size :]


def pack_explained(facts: dict[str, Any], png: bytes) -> bytes:
    """One message that holds an explanation and its picture."""
    text = json.dumps(facts).encode()
    return frame(Kind.EXPLAINED, b"".join((_LENGTH.pack(len(text)), text, png)))


def unpack_explained(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """An explanation and its picture."""
    end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    facts: dict[str, Any] = json.loads(payload[_LENGTH.size : end])
    return facts, payload[end:]


def receive(connection: socket.socket) -> tuple[Kind, bytearray] | None:
    """Wait for the next message; None where the other side has gone."""
    head = _exactly(connection, HEAD.size)
    if head is None:
        return None
    length, kind = HEAD.unpack(head)
    payload = _exactly(connection, length)
    return None if payload is None else (Kind(kind), payload)


def _exactly(connection: socket.socket, count: int) -> bytearray | None:
    buffer = bytearray(count)
    view, filled = memoryview(buffer), 0
    while filled < count:
        read = connection.recv_into(view[filled:])
        if not read:
            return None
        filled += read
    return buffer
