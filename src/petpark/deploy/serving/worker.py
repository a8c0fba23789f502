"""An inference worker: `python -m petpark.deploy.serving.worker FD` answers photos over a socket pair, one by one."""

import contextlib
import hashlib
import logging
import os
import signal
import socket
import sys
import time
import warnings
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from petpark import explain, files, images, nearest
from petpark.classifier import Classifier
from petpark.deploy.serving import looks, scans, wire
from petpark.deploy.serving.wire import Kind, Payload
from petpark.errors import PetparkError

_TOO_MANY = "too-many-pixels"
_NICENESS = 5  # refusing is what an overloaded service must do at once: the front goes first


def main(descriptor: int, model: str, max_pixels: int) -> int:
    """Open the model, say hello, and answer until the other side goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the front says when to end
    os.nice(_NICENESS)
    with socket.socket(fileno=descriptor) as front, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        try:
            worker = Worker(model, max_pixels)
        except PetparkError as error:
            front.sendall(wire.frame(Kind.FAILED, str(error).encode()))
            return 2
        _hush()
        front.sendall(wire.pack_json(Kind.HELLO, worker.hello()))
        while (message := wire.receive(front)) is not None:
            front.sendall(worker.answer(*message))
    return 0


def _hush() -> None:
    """Keep decoders from writing what they think of strangers' photos: libtiff has a line for each broken row.

    What Python itself has to say still comes out.
    """
    warnings.simplefilter("ignore")
    logging.disable()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


class Worker:
    """Answers one message with another."""

    def __init__(self, model: str, max_pixels: int) -> None:
        self._path = Path(model)
        self._classifier = Classifier(self._path, threads=1, max_pixels=max_pixels)

    def hello(self) -> dict[str, Any]:
        """What the front must know about the model."""
        card = self._classifier.card
        return {
            "labels": card.labels,
            "threshold": card.threshold,
            "image_size": card.image_size,
            "architecture": card.architecture,
            "variant": card.variant,
            "data": card.data,
            "model": files.sha256(self._path),
        }

    def answer(self, kind: Kind, payload: Payload) -> bytes:
        """Answer a message; a photo that cannot be used is refused with the reason."""
        try:
            if kind == Kind.EXPLAIN:
                return self._explain(*wire.unpack_target(payload))
            return self._predict(payload)
        except images.ImageError as error:
            most = self._classifier.max_pixels / 1e6
            words = f"more than {most:g} megapixels ({error.detail})" if error.reason == _TOO_MANY else str(error)
            return wire.pack_json(Kind.REFUSED, {"reason": error.reason, "detail": words})
        except MemoryError:
            return wire.pack_json(Kind.REFUSED, {"reason": _TOO_MANY, "detail": "too little memory to decode it"})

    def _predict(self, photo: Payload) -> bytes:
        begin = time.perf_counter()
        scans.check(photo)
        decoded = images.decode(bytes(photo), min_side=self._classifier.size, max_pixels=self._classifier.max_pixels)
        prepared = images.prepare(decoded.pixels, self._classifier.size)
        seems = looks.properties(prepared)  # now, not after the model: it leaves nothing in the caches
        sha256 = hashlib.sha256(photo).digest()
        seen = time.perf_counter()
        probabilities, embedding = self._classifier.run(prepared[None])
        done = time.perf_counter()
        return wire.pack_answer(
            wire.Answer(
                tuple(probabilities[0].tolist()),
                embedding[0].astype("<f4").tobytes(),
                *seems,
                decode_seconds=seen - begin,
                model_seconds=done - seen,
                width=decoded.width,
                height=decoded.height,
                format=decoded.format,
                sha256=sha256,
            )
        )

    def _explain(self, target: int, photo: Payload) -> bytes:
        scans.check(photo)
        label = None if target < 0 else self._classifier.labels[target]
        found = explain.explain_photo(self._classifier, bytes(photo), label, self._index)
        near = [{**asdict(each), "similarity": round(each.similarity, 4)} for each in found.nearest]
        facts = {"label": found.label, "probability": round(found.probability, 6), "nearest": near}
        return wire.pack_explained(facts, found.png)

    @cached_property
    def _index(self) -> nearest.Index | None:
        """The training photos beside the model, read when someone asks: most workers never need them."""
        path = self._path.with_name(nearest.INDEX.name)
        try:
            return nearest.read(path, self._path) if path.is_file() else None
        except PetparkError as error:  # of another model, or damaged: an explanation is worth having without it
            print(f"petpark: {error}", file=sys.stderr)
            return None


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
