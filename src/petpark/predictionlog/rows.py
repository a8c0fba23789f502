"""What is written into the log, and its ids, which hold the time."""

import os
import re
import struct
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_ID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Logged(NamedTuple):
    """One prediction. Tuples are the cheapest to make, and are what database drivers take."""

    id: str
    """From `prediction_id`: it tells the time."""
    version: str
    model: str
    """SHA-256 of the model's file, as hex."""
    source: str
    """Who asked: api, page, camera-3 ..."""
    image: str
    """SHA-256 of the photo's bytes, as hex."""
    label: str
    confidence: float
    unsure: bool
    probabilities: bytes
    """`packed`, in the order of the version's labels."""
    embedding: bytes
    """`packed`; empty where there is none."""
    width: int
    height: int
    format: str
    bytes: int
    brightness: float
    contrast: float
    saturation: float
    latency_ms: float


class Feedback(NamedTuple):
    """What somebody says is the true label of a prediction; of several, the last counts."""

    id: str
    """Its own, from `prediction_id`."""
    prediction_id: str
    label: str
    source: str


class Photo(NamedTuple):
    """The bytes that a prediction was made of."""

    prediction_id: str
    image: bytes


class Version(NamedTuple):
    """What predicts: the part of the build manifest that explains rows of the log."""

    version: str
    model: str
    """SHA-256 of the model's file, as hex."""
    labels: tuple[str, ...]
    """In the order of probabilities."""
    threshold: float
    commit: str
    data: str


def prediction_id() -> str:
    """Make an id, of a prediction or of a feedback: a UUID of version 7 (RFC 9562).

    It begins with the time, 48 bits of milliseconds and 12 bits of their fraction (method 3 of section 6.2), so ids
    sort by time; 62 bits are random, from the system, so nobody guesses one.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    return _written(milliseconds, (rest << 12) // 1_000_000, int.from_bytes(os.urandom(8)) >> 2)


def is_prediction_id(text: str) -> bool:
    """Whether a text could be an id of `prediction_id`."""
    return _ID.fullmatch(text) is not None


def first_id(moment: datetime) -> str:
    """Return the smallest id of a moment: ids made before are smaller, those made then or later are not.

    Args:
        moment: with its zone, from 1970 on.
    """
    return _written((moment - _EPOCH) // timedelta(milliseconds=1), 0, 0)


def moment(prediction_id: str) -> datetime:
    """Return when an id was made, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=int(prediction_id[:8] + prediction_id[9:13], 16))


def packed(numbers: Sequence[float]) -> bytes:
    """Write numbers as the log keeps them: float32, little-endian."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


def _written(milliseconds: int, fraction: int, random: int) -> str:
    text = f"{milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
