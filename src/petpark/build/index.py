"""The index: training photos that the service shows beside an answer, as the packaged model sees them."""

from collections import Counter

import numpy as np

from petpark import files, lake, layout, nearest
from petpark.build.answers import ask
from petpark.classifier import Classifier


def index(photos: lake.Photos, most: int) -> None:
    """Write the index of the packaged model: a sample of the training side, balanced over labels.

    Args:
        photos: the split.
        most: photos in the index; 0 makes one that holds none.

    Raises:
        ModelError: the model is missing or was not packaged by petpark.
        DataError: a shard is missing or broken.
    """
    chosen = _balanced(lake.side(photos, "train"), most)
    answers = ask(Classifier(layout.MODEL), chosen, "index")
    nearest.write(nearest.Index(chosen.ids, _labels(chosen), answers.embeddings, files.sha256(layout.MODEL)))


def _balanced(photos: lake.Photos, most: int) -> lake.Photos:
    """At most so many photos, equally many of each label as far as they go.

    Of each label those with the smallest ids: ids are hashes, so it is a random sample, and more photos change little.
    """
    ids, labels = photos.ids, _labels(photos)
    taken = Counter[str]()
    order: list[tuple[int, str, int]] = []
    for row in sorted(range(len(ids)), key=ids.__getitem__):
        taken[labels[row]] += 1
        order.append((taken[labels[row]], ids[row], row))
    return photos.take(np.array(sorted(row for *_, row in sorted(order)[:most]), np.int64))


def _labels(photos: lake.Photos) -> list[str]:
    return [str(label) for label in photos.column("label")]
