"""Parts of a prediction in this process, without any server: what none can beat, and what log and metrics add."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import pictures
from petpark import card, images
from petpark.classifier import Classifier

_WARM: Final = 20


def milliseconds(place: Sequence[int], model: str, photo: str, count: int) -> float:
    """CPU time of one photo, of decoding and of onnxruntime alone.

    Args:
        place: cores.
        model: path of the ONNX file.
        photo: path of the photo.
        count: of times that it is classified.
    """
    prepare, run, _ = _prediction(place, model, photo)
    for _ in range(_WARM):
        run(prepare())
    begin = time.process_time()
    for _ in range(count):
        run(prepare())
    return 1000 * (time.process_time() - begin) / count


def extras(place: Sequence[int], model: str, photo: str, count: int) -> dict[str, float]:
    """Milliseconds of CPU time that a prediction's extras take, with caches as they are in the service.

    The worker looks at a photo when it has just been decoded, the front counts it when the model has run.

    Returns:
        `looks`, the photo's properties and its SHA-256, for the log; `metrics`, all that is counted for an answer.
    """
    from petpark.deploy.serving import looks
    from petpark.deploy.serving.metrics import Metrics
    from petpark.deploy.serving.wire import Answer

    prepare, run, data = _prediction(place, model, photo)
    metrics = Metrics(pictures.LABELS, "0", list)
    spent = {"looks": 0, "metrics": 0}
    for number in range(-_WARM, count):
        if number == 0:
            spent = dict.fromkeys(spent, 0)
        prepared = prepare()
        begin = time.thread_time_ns()
        seen, sha256 = looks.properties(prepared), hashlib.sha256(data).digest()
        spent["looks"] += time.thread_time_ns() - begin
        answer = Answer((0.4, 0.6), b"", *seen, 0.001, 0.003, 640, 480, "JPEG", sha256)
        run(prepared)
        begin = time.thread_time_ns()
        metrics.prediction(answer, 1, 0.6, unsure=False, queue_seconds=0.0)
        metrics.request("predict", HTTPStatus.OK, 0.005)
        spent["metrics"] += time.thread_time_ns() - begin
    return {name: each / 1e6 / count for name, each in spent.items()}


def _prediction(
    place: Sequence[int], model: str, photo: str
) -> tuple[Callable[[], images.Pixels], Callable[[images.Pixels], object], bytes]:
    """What decodes the photo for the model, what runs the model, and the photo's bytes."""
    os.sched_setaffinity(0, place)
    classifier, data = Classifier(model, threads=1), Path(photo).read_bytes()
    session, size = classifier._session, classifier.size  # noqa: SLF001 - no wrapper of ours is in the limit

    def prepare() -> images.Pixels:
        return images.prepare(images.decode(data, min_side=size).pixels, size)

    def run(prepared: images.Pixels) -> object:
        return session.run(card.OUTPUTS, {card.INPUT: prepared[np.newaxis]})

    return prepare, run, data
