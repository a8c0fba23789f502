"""The contract of a packaged model: what its file takes and gives, and the card that it carries in its metadata.

Input `image` uint8 [N, S, S, 3] RGB; outputs `probabilities` float32 [N, K] and `embedding` float32 [N, <=128];
metadata `petpark`, a `ModelCard` as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from petpark import images
from petpark.errors import ModelError

METADATA: Final = "petpark"
INPUT: Final = "image"
OUTPUTS: Final = ("probabilities", "embedding")

Shapes = Mapping[str, Sequence[Any]]


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


def read(metadata: Mapping[str, str], shapes: Shapes, path: Path) -> ModelCard:
    """Read the card of a model.

    Args:
        metadata: of the file.
        shapes: of its inputs and outputs by name, the first dimension free.
        path: the file, for the sentence that says what is wrong with it.

    Raises:
        ModelError: petpark did not package the file, or this version of it cannot use the model.
    """
    text = metadata.get(METADATA)
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


def _fits(card: ModelCard, shapes: Shapes) -> bool:
    probabilities, embedding = (shapes[name][1:] for name in OUTPUTS)
    return (
        [*shapes[INPUT][1:]] == [card.image_size, card.image_size, 3]
        and [*probabilities] == [len(card.labels)]
        and [type(width) for width in embedding] == [int]
    )
