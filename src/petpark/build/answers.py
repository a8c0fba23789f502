"""What the packaged model says of stored photos."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from petpark import images, lake
from petpark.build import pixels
from petpark.classifier import Classifier

_CHUNK: Final = 64  # photos that the model sees at a time


@dataclass(frozen=True)
class Answers:
    """What the model said of N photos: [N, K] and [N, E]."""

    photos: lake.Photos
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]


def ask(classifier: Classifier, photos: lake.Photos, title: str) -> Answers:
    """Classify stored photos, a chunk in memory at a time.

    Raises:
        DataError: a shard is missing or broken.
    """
    rows: list[int] = []
    chunk: list[images.Pixels] = []
    parts = [classifier.run(np.empty((0, classifier.size, classifier.size, 3), np.uint8))]
    for row, square, _ in pixels.squares(photos, classifier.size, title):
        rows.append(row)
        chunk.append(square)
        if len(chunk) == _CHUNK or len(rows) == len(photos):
            parts.append(classifier.run(np.stack(chunk)))
            chunk.clear()
    back = np.argsort(np.array(rows, np.int64))
    return Answers(photos, *(np.concatenate(part)[back] for part in zip(*parts, strict=True)))
