"""Explanations: where the model looked, and which known photos look alike to it."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from petpark import images
from petpark.classifier import Classifier

GRID = 8


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
    """Paint falls [grid, grid] over a photo as a PNG: orange speaks for the label, blue against it."""
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


def nearest(
    query: NDArray[np.float32], known: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the most similar embeddings by cosine.

    Args:
        query: [N, E].
        known: [M, E].
        count: how many, at most M.

    Returns:
        rows of `known` [N, count], the most similar first, and their cosines [N, count].
    """

    def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)

    cosines = unit(query) @ unit(known).T
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return rows.astype(np.int64), np.take_along_axis(cosines, rows, axis=1)
