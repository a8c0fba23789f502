"""Explanations: where the model looked, and which known photos look alike to it."""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from petpark import images
from petpark.classifier import Classifier
from petpark.errors import DataError
from petpark.nearest import Index, Neighbour

GRID: Final = 8
LONGEST: Final = 512  # side of an explanation's picture, in pixels
_NEIGHBOURS: Final = 4


@dataclass(frozen=True)
class Explanation:
    """Why a photo gets a label."""

    label: str
    probability: float
    """That the model gives to the label."""
    png: bytes
    """The photo, upright and in grey, under its occlusion map."""
    nearest: tuple[Neighbour, ...]
    """Training photos that the model finds similar, the most similar first."""


def explain_photo(
    classifier: Classifier,
    photo: bytes,
    label: str | None = None,
    index: Index | None = None,
    neighbours: int = _NEIGHBOURS,
) -> Explanation:
    """Explain what the classifier says about one photo.

    The work is bounded: the model runs on GRID x GRID + 2 squares, and the picture's sides are at most LONGEST.

    Args:
        classifier: the model.
        photo: the bytes of its file.
        label: what is to be explained; by default the label that the photo gets.
        index: the training photos to compare it with; without one there are no neighbours.
        neighbours: how many of them.

    Raises:
        images.ImageError: the photo cannot be used, and why.
        DataError: the model does not know the label, or the index is of another model.
    """
    if label is not None and label not in classifier.labels:
        raise DataError(f"The model does not know the label '{label}'; it knows {', '.join(classifier.labels)}.")
    decoded = images.decode(photo, min_side=classifier.size, max_pixels=classifier.max_pixels)
    square = images.prepare(decoded.pixels, classifier.size)
    probabilities, embeddings = classifier.run(square[None])
    (answer,) = classifier.answers(probabilities)
    chosen = answer.label if label is None else label
    falls = occlusion(classifier, square, classifier.labels.index(chosen))
    return Explanation(
        chosen,
        answer.probabilities[chosen],
        _picture(photo, decoded, falls),
        () if index is None else tuple(index.search(embeddings[0], neighbours)),
    )


def _picture(photo: bytes, decoded: images.Decoded, falls: NDArray[np.float32]) -> bytes:
    """Paint falls over a photo of at most LONGEST pixels; it is decoded again where the model needed less of it."""
    width, height = fitted(decoded.width, decoded.height, LONGEST)
    pixels = decoded.pixels
    if pixels.shape[0] < height or pixels.shape[1] < width:
        pixels = images.decode(photo, min_side=min(width, height), max_pixels=decoded.width * decoded.height).pixels
    return overlay(pixels, falls, width, height)


def fitted(width: int, height: int, longest: int) -> tuple[int, int]:
    """The size of a picture whose longest side is at most `longest`, with the aspect of another one."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def occlusion(classifier: Classifier, pixels: images.Pixels, target: int, grid: int = GRID) -> NDArray[np.float32]:
    """Measure how much the answer depends on each part of a photo.

    A patch of two cells' width, in the photo's mean colour, slides over it cell by cell; where it hides what the answer
    rests on, the probability falls (Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, 2013).

    Args:
        classifier: the model.
        pixels: a prepared photo, uint8 [S, S, 3].
        target: index of the label to explain.
        grid: cells along each side.

    Returns:
        [grid, grid] falls of the probability; negative where the photo speaks against the label.
    """
    cell = pixels.shape[0] / grid
    spans = [slice(max(0, round((i - 0.5) * cell)), round((i + 1.5) * cell)) for i in range(grid)]
    mean = pixels.mean(axis=(0, 1)).astype(np.uint8)
    covered = np.repeat(pixels[None], grid * grid + 1, axis=0)
    for place in range(grid * grid):
        row, column = divmod(place, grid)
        covered[place, spans[row], spans[column]] = mean
    answers = classifier.run(covered)[0][:, target]
    falls: NDArray[np.float32] = (answers[-1] - answers[:-1]).reshape(grid, grid)
    return falls


def overlay(pixels: images.Pixels, falls: NDArray[np.float32], width: int, height: int) -> bytes:
    """Paint falls over a photo as a PNG: orange speaks for the label, blue against it.

    Args:
        pixels: the photo, uint8 [H, W, 3], of any size.
        falls: [grid, grid].
        width: of the picture.
        height: of the picture.
    """
    scale = max(float(np.abs(falls).max()), 1e-6)
    heat = Image.fromarray((falls / scale).astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(heat), -1, 1)[..., None]
    photo = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)).astype(np.float32)
    grey = images.luminance(photo.astype(np.uint8))[..., None] * np.ones(3, np.float32)
    colour = np.where(strength > 0, np.array([230.0, 97.0, 1.0]), np.array([32.0, 96.0, 200.0]))
    mix = 0.65 * np.abs(strength)
    buffer = io.BytesIO()
    Image.fromarray((grey * (1 - mix) + colour * mix).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
