"""What no server can beat: the photo decoded and classified in a loop, in one process, on one core."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from petpark import card, images
from petpark.classifier import Classifier

_WARM = 20


def milliseconds(place: Sequence[int], model: str, photo: str, count: int) -> float:
    """CPU time of one photo, of decoding and of onnxruntime alone.

    Args:
        place: cores.
        model: path of the ONNX file.
        photo: path of the photo.
        count: of times that it is classified.
    """
    os.sched_setaffinity(0, place)
    classifier, data = Classifier(model, threads=1), Path(photo).read_bytes()
    session, size = classifier._session, classifier.size  # noqa: SLF001 - no wrapper of ours is in the limit

    def once() -> None:
        prepared = images.prepare(images.decode(data, min_side=size).pixels, size)
        session.run(card.OUTPUTS, {card.INPUT: prepared[np.newaxis]})

    for _ in range(_WARM):
        once()
    begin = time.process_time()
    for _ in range(count):
        once()
    return 1000 * (time.process_time() - begin) / count
