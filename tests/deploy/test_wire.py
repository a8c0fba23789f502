"""What the service and its workers say to each other."""

import random
import socket
import struct
import threading
from contextlib import closing

import pytest

from petpark.deploy.serving import wire
from petpark.deploy.serving.wire import Answer, Kind

ANSWER = Answer(
    probabilities=(0.25, 0.5, 0.125, 0.125),
    embedding=struct.pack("<3f", 1, 2, 3),
    brightness=0.5,
    contrast=0.25,
    saturation=0.125,
    decode_seconds=0.0625,
    model_seconds=0.03125,
    width=4_000_000_000,
    height=16,
    format="JPEG",
    sha256=bytes(range(32)),
)


def told(frame: bytes) -> tuple[Kind, bytes]:
    length, kind = wire.HEAD.unpack_from(frame)
    assert len(frame) == wire.HEAD.size + length
    return Kind(kind), frame[wire.HEAD.size :]


def test_an_answer_comes_back_as_it_was() -> None:
    kind, payload = told(wire.pack_answer(ANSWER))
    assert kind == Kind.PREDICTED
    assert wire.unpack_answer(payload, 4) == ANSWER


def test_an_answer_cut_short_is_none() -> None:
    _, payload = told(wire.pack_answer(ANSWER))
    for count in (0, 10, 67, 83):
        with pytest.raises(struct.error):
            wire.unpack_answer(payload[:count], 4)


@pytest.mark.parametrize("target", [-1, 0, 32_767])
def test_a_label_to_explain_stands_before_the_photo(target: int) -> None:
    assert wire.unpack_target(wire.pack_target(target) + b"photo") == (target, b"photo")


def test_an_explanation_comes_back_as_it_was() -> None:
    facts = {"label": "größer", "nearest": [{"id": "0", "similarity": 0.5}]}
    kind, payload = told(wire.pack_explained(facts, b"png"))
    assert kind == Kind.EXPLAINED
    assert wire.unpack_explained(payload) == (facts, b"png")


def test_a_head_is_what_a_frame_begins_with() -> None:
    assert wire.head(Kind.PREDICT, b"photo") + b"photo" == wire.frame(Kind.PREDICT, b"photo")


def test_messages_are_read_however_they_come() -> None:
    rng = random.Random(1)
    sent = [(Kind(rng.randrange(7)), rng.randbytes(rng.choice((0, 1, 100, 300_000)))) for _ in range(12)]
    ours, theirs = socket.socketpair()

    def send() -> None:
        with closing(theirs):
            data = b"".join(wire.frame(*each) for each in sent)
            while data:
                count = rng.choice((1, 3, 5, 1000, 100_000))
                theirs.sendall(data[:count])
                data = data[count:]

    with closing(ours):
        thread = threading.Thread(target=send)
        thread.start()
        for each in sent:
            kind, payload = wire.receive(ours) or (None, b"")
            assert (kind, bytes(payload)) == each
        assert wire.receive(ours) is None
        thread.join()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 8])
def test_who_hangs_up_inside_a_message_has_said_nothing(count: int) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours):
        with closing(theirs):
            theirs.sendall(wire.frame(Kind.PREDICT, b"photo")[:count])
        assert wire.receive(ours) is None


def test_a_message_of_an_unknown_kind_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.sendall(wire.HEAD.pack(0, 99))
        with pytest.raises(ValueError, match="99"):
            wire.receive(ours)
