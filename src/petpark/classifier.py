"""The one classifier: from the bytes of a photo to a prediction, by the packaged ONNX file. No torch.

Contract of the file: input `image` uint8 [N, S, S, 3] RGB; outputs `probabilities` float32 [N, K] and `embedding`
float32 [N, <=128]; metadata `petpark` (JSON, see `ModelCard`).
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from petpark import embedded, images
from petpark.errors import ModelError

METADATA: Final = "petpark"
INPUT: Final = "image"
OUTPUTS: Final = ("probabilities", "embedding")
_BATCH: Final = 64
_ROUNDING: Final = 1e-3  # of the sum of probabilities

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class ModelCard:
    """What a model file says about itself."""

    labels: tuple[str, ...]
    image_size: int
    threshold: float
    """Below this confidence an answer counts as unsure."""
    architecture: str
    variant: str
    data: str
    """Fingerprint of the split that it was trained on."""
    code: str
    """Fingerprint of the code that trained and packaged it."""
    preprocessing: str = images.PREPROCESSING

    def dump(self) -> str:
        """The card as JSON."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Prediction:
    """What the classifier says about one photo."""

    label: str
    confidence: float
    unsure: bool
    probabilities: dict[str, float]


class Classifier:
    """Turns photos into predictions; safe to share between threads.

    Args:
        model: path of a packaged ONNX file.
        threads: threads of one call; 0 takes all cores.

    Raises:
        ModelError: no such file, no ONNX, or not a file that petpark packaged.
    """

    def __init__(self, model: str | os.PathLike[str], threads: int = 0) -> None:
        path = Path(model)
        self._session = _open(path, threads)
        self.card = _card(self._session, path)
        self._widths = [_shapes(self._session)[name][1] for name in OUTPUTS]
        self.labels = self.card.labels
        self.size = self.card.image_size
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

    def predict(self, photo: bytes) -> Prediction:
        """Classify one photo given as the bytes of a file.

        Raises:
            images.ImageError: the photo cannot be used, and why.
        """
        return self.predict_many([photo])[0]

    def predict_many(self, photos: Iterable[bytes]) -> list[Prediction]:
        """Classify photos given as the bytes of files.

        Raises:
            images.ImageError: a photo cannot be used, and why.
        """
        prepared = [self.prepare(photo) for photo in photos]
        if not prepared:
            return []
        return self.answers(self.run(np.stack(prepared))[0])

    def prepare(self, photo: bytes) -> images.Pixels:
        """Turn the bytes of a photo into what the model sees, uint8 [S, S, 3].

        Raises:
            images.ImageError: the photo cannot be used, and why.
        """
        return images.prepare(images.decode(photo, min_side=self.size).pixels, self.size)

    def run(self, pixels: images.Pixels) -> tuple[Probabilities, NDArray[np.float32]]:
        """Run the model.

        Args:
            pixels: uint8 [N, S, S, 3], prepared; N may be 0.

        Returns:
            probabilities [N, K] and embeddings [N, E].
        """
        steps = range(0, len(pixels), _BATCH)
        parts = [[np.empty((0, width), np.float32) for width in self._widths]]
        parts += [self._session.run(OUTPUTS, {INPUT: pixels[i : i + _BATCH]}) for i in steps]
        probabilities, embeddings = (np.concatenate(part) for part in zip(*parts, strict=True))
        return probabilities, embeddings

    def answers(self, probabilities: Probabilities) -> list[Prediction]:
        """Turn probabilities [N, K] into predictions."""
        return [self._answer(row) for row in probabilities.tolist()]

    def _answer(self, row: Sequence[float]) -> Prediction:
        best = max(range(len(row)), key=row.__getitem__)
        return Prediction(
            self.labels[best], row[best], row[best] < self.card.threshold, dict(zip(self.labels, row, strict=True))
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


def _card(session: ort.InferenceSession, path: Path) -> ModelCard:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA)
    shapes = _shapes(session)
    if text is None or not {INPUT, *OUTPUTS} <= shapes.keys():
        raise ModelError(f"{path} was not packaged by petpark: make it with `dvc repro package`.")
    try:
        card = _parsed(text)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ModelError(f"{path} carries metadata that this version does not read: package it again.") from None
    if card.preprocessing != images.PREPROCESSING:
        raise ModelError(
            f"{path} wants preprocessing '{card.preprocessing}', and this version does '{images.PREPROCESSING}': "
            "package it again."
        )
    if not _fits(card, shapes):
        raise ModelError(f"{path} has another image size or number of labels than its metadata says: package it again.")
    return card


def _parsed(text: str) -> ModelCard:
    """Read a card; what is in it is believed by nobody else's word."""
    values: dict[str, Any] = json.loads(text)
    labels, threshold = values["labels"], values["threshold"]
    if not isinstance(labels, list) or not labels or not all(map(_is_label, labels)) or len({*labels}) < len(labels):
        raise ValueError
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:  # which NaN is not
        raise ValueError
    card = ModelCard(**{**values, "labels": tuple(labels)})
    words = (card.architecture, card.variant, card.data, card.code, card.preprocessing)
    if not all(isinstance(word, str) for word in words):
        raise TypeError
    return card


def _is_label(label: object) -> bool:
    return isinstance(label, str) and label != "" and label.isprintable()


def _fits(card: ModelCard, shapes: dict[str, list[Any]]) -> bool:
    probabilities, embedding = (shapes[name][1:] for name in OUTPUTS)
    return (
        shapes[INPUT][1:] == [card.image_size, card.image_size, 3]
        and probabilities == [len(card.labels)]
        and [type(width) for width in embedding] == [int]
    )


def _shapes(session: ort.InferenceSession) -> dict[str, list[Any]]:
    """The shape of each input and output, the free first dimension as a name."""
    return {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
