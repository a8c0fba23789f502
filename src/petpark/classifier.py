"""The one classifier: from a photo to a prediction, by the packaged ONNX file (contract: `card`). No torch."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read while onnxruntime is imported: it reports to its makers
import onnxruntime as ort

from petpark import card, embedded, images
from petpark.errors import DataError, ModelError

_BATCH: Final = 64
_ROUNDING: Final = 1e-3  # of the sum of probabilities

Photo = bytes | images.Pixels
"""A file, as it is; or its pixels, uint8 [H, W, 3], RGB, upright."""
Probabilities = NDArray[np.float32]
Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """What the classifier says about one photo."""

    label: str
    confidence: float
    unsure: bool
    probabilities: dict[str, float]
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """What the model saw, [E]: alike for photos that look alike to it. Only where it was asked for."""


class Classifier:
    """Turns photos into predictions; safe to share between threads.

    A photo is given as the bytes of its file, or as pixels. A large JPEG is decoded at a smaller scale, so its pixels
    at full size may get probabilities that differ by up to 0.02 from those of the file.

    Args:
        model: path of a packaged ONNX file.
        threads: threads of one call; 0 takes all cores.
        max_pixels: files of photos with more are refused before they are decoded.

    Raises:
        ModelError: no such file, no ONNX, or not a file that petpark packaged.
    """

    def __init__(self, model: str | os.PathLike[str], threads: int = 0, max_pixels: int = images.MAX_PIXELS) -> None:
        path = Path(model)
        self._session = _open(path, threads)
        shapes = {value.name: value.shape for value in (*self._session.get_inputs(), *self._session.get_outputs())}
        self.card = card.read(self._session.get_modelmeta().custom_metadata_map, shapes, path)
        self._widths = [shapes[name][1] for name in card.OUTPUTS]
        self.labels = self.card.labels
        self.size = self.card.image_size
        self.max_pixels = max_pixels
        _try(self, path)

    @classmethod
    def embedded(cls, threads: int = 0) -> Self:
        """Open the model that the installed wheel carries.

        Args:
            threads: threads of one call; 0 takes all cores.

        Raises:
            ModelError: this installation carries none.
        """
        return cls(embedded.model(), threads)

    def predict(self, photo: Photo, *, embedding: bool = False) -> Prediction:
        """Classify one photo.

        Args:
            photo: the bytes of its file, or uint8 [H, W, 3], RGB.
            embedding: whether the prediction is to hold the photo's embedding too.

        Raises:
            images.ImageError: the file cannot be used, and why.
            DataError: neither a file nor pixels.
        """
        return self.predict_many([photo], embedding=embedding)[0]

    def predict_many(self, photos: Iterable[Photo], *, embedding: bool = False) -> list[Prediction]:
        """Classify photos, in their order; a few at a time are in memory.

        Args:
            photos: each the bytes of a file, or uint8 [H, W, 3], RGB, of a size of its own.
            embedding: whether the predictions are to hold the photos' embeddings too.

        Raises:
            images.ImageError: a file cannot be used, and why.
            DataError: neither a file nor pixels.
        """
        found: list[Prediction] = []
        prepared = map(self.prepare, photos)
        while part := list(islice(prepared, _BATCH)):
            probabilities, embeddings = self.run(np.stack(part))
            found += self.answers(probabilities, embeddings if embedding else None)
        return found

    def prepare(self, photo: Photo) -> images.Pixels:
        """Turn a photo into what the model sees, uint8 [S, S, 3].

        Raises:
            images.ImageError: the file cannot be used, and why.
            DataError: neither a file nor pixels.
        """
        if isinstance(photo, bytes):
            pixels = images.decode(photo, min_side=self.size, max_pixels=self.max_pixels).pixels
        else:
            pixels = _checked(photo)
        return images.prepare(pixels, self.size)

    def run(self, pixels: images.Pixels) -> tuple[Probabilities, Embeddings]:
        """Run the model.

        Args:
            pixels: uint8 [N, S, S, 3], prepared; N may be 0.

        Returns:
            probabilities [N, K] and embeddings [N, E].
        """
        steps = range(0, len(pixels), _BATCH)
        parts = [[np.empty((0, width), np.float32) for width in self._widths]]
        parts += [self._session.run(card.OUTPUTS, {card.INPUT: pixels[i : i + _BATCH]}) for i in steps]
        probabilities, embeddings = (np.concatenate(part) for part in zip(*parts, strict=True))
        return probabilities, embeddings

    def answers(self, probabilities: Probabilities, embeddings: Embeddings | None = None) -> list[Prediction]:
        """Turn probabilities [N, K], and embeddings [N, E] where they are wanted, into predictions."""
        rows = [None] * len(probabilities) if embeddings is None else [row.copy() for row in embeddings]
        return [self._answer(row, vector) for row, vector in zip(probabilities.tolist(), rows, strict=True)]

    def _answer(self, row: Sequence[float], embedding: NDArray[np.float32] | None) -> Prediction:
        best = max(range(len(row)), key=row.__getitem__)
        probabilities = dict(zip(self.labels, row, strict=True))
        return Prediction(self.labels[best], row[best], row[best] < self.card.threshold, probabilities, embedding)


def _checked(photo: Any) -> images.Pixels:
    """Pixels that were given in place of a file, if that is what they are."""
    if not isinstance(photo, np.ndarray):
        found = type(photo).__name__
    elif photo.dtype == np.uint8 and photo.shape[2:] == (3,) and min(photo.shape[:2]) >= images.MIN_SIDE:
        return photo
    else:
        found = f"{photo.dtype} {[*photo.shape]}"
    raise DataError(
        "A photo is the bytes of its file, or a uint8 array [H, W, 3] of RGB values with sides of at least "
        f"{images.MIN_SIDE} pixels, and not {found}."
    )


def _open(path: Path, threads: int) -> ort.InferenceSession:
    if not path.exists():
        raise ModelError(f"{path} is missing: fetch it with `dvc pull {path}`, or make it with `make run`.")
    if not path.is_file():
        raise ModelError(f"{path} is no file, and so no model: name the ONNX file that `package` made.")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime raises a class of its own for each kind of damage
        raise ModelError(f"{path} is no ONNX model that can be run ({str(error).splitlines()[0][:200]}).") from None


def _try(classifier: Classifier, path: Path) -> None:
    """Run a model on two pictures: one that cannot be run, or answers no probabilities, is noticed at once.

    Raises:
        ModelError: that is so.
    """
    pictures = np.zeros((2, classifier.size, classifier.size, 3), np.uint8)
    pictures[1, ::2] = 255
    try:
        found, embeddings = classifier.run(pictures)
    except Exception as error:  # noqa: BLE001 - as above
        raise ModelError(f"{path} cannot be run ({str(error).splitlines()[0][:200]}): package it again.") from None
    sums = found.sum(1) if found.ndim == 2 else np.zeros(0)  # NaN is close to nothing
    if found.shape != (2, len(classifier.labels)) or (found < 0).any() or not np.allclose(sums, 1, atol=_ROUNDING):
        raise ModelError(f"{path} gives answers that are no probabilities: package it again.")
    if not np.isfinite(embeddings).all():
        raise ModelError(f"{path} gives embeddings that are no numbers: package it again.")
