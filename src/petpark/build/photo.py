"""One photo on its way into the lake: checked, shrunk, encoded anew. Worker processes import no more than this."""

import hashlib
import os
import signal
import warnings
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from petpark import images
from petpark.errors import DataError, PetparkError

_CHUNK: Final = 1 << 20
_LITTLE: Final = 4 / 3


class Recipe(NamedTuple):
    """How photos are checked and stored."""

    short_side: int
    quality: int
    max_pixels: int


class Verdict(NamedTuple):
    """What became of one photo: its row of the manifest, and the stored JPEG, or the reason of its quarantine."""

    id: str
    reason: str | None = None
    detail: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    phash: int | None = None
    jpeg: bytes | None = None


def examine(data: bytes, recipe: Recipe) -> Verdict:
    """Check a photo given as the bytes of its file, and make its stored form."""
    photo_id = hashlib.sha256(data).hexdigest()
    try:
        photo = images.decode(data, min_side=recipe.short_side, max_pixels=recipe.max_pixels)
    except images.ImageError as error:
        return Verdict(photo_id, error.reason, error.detail or None)
    stored = shrink(photo, recipe.short_side)
    small = thumbnail(stored)
    return Verdict(
        photo_id,
        None,
        None,
        photo.format,
        photo.width,
        photo.height,
        *images.properties(small),
        images.perceptual_hash(small),
        images.encode(stored, recipe.quality),
    )


def shrink(photo: images.Decoded, short_side: int) -> images.Pixels:
    """Shrink a photo to its short side, [H, W, 3]; a smaller one stays as it is."""
    full = min(photo.width, photo.height)
    if full <= short_side:
        return photo.pixels
    width, height = round(photo.width * short_side / full), round(photo.height * short_side / full)
    return _resize(photo.pixels, width, height)


def thumbnail(pixels: images.Pixels) -> images.Pixels:
    """Squash a photo to the square that properties and hashes are made of."""
    while min(pixels.shape[:2]) >= 4 * images.THUMBNAIL:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_LINEAR), np.uint8)
    return _resize(pixels, images.THUMBNAIL, images.THUMBNAIL)


def _resize(pixels: images.Pixels, width: int, height: int) -> images.Pixels:
    """Average areas; where little is left to shrink, bilinear loses no more and takes a fifth of the time."""
    little = max(pixels.shape[1] / width, pixels.shape[0] / height) <= _LITTLE
    way = cv2.INTER_LINEAR if little else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def examine_all(archive: Path, places: Sequence[tuple[int, int]], recipe: Recipe) -> list[Verdict]:
    """Examine photos of an archive, each given as (offset, size).

    Raises:
        DataError: the archive ends before a photo does.
    """
    with archive.open("rb", buffering=0) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd tags: the verdict is what counts
        try:
            return [_examine_at(file.fileno(), offset, size, recipe) for offset, size in places]
        except EOFError:
            raise DataError(f"{archive} changed while it was read: run it again.") from None


def _examine_at(file: int, offset: int, size: int, recipe: Recipe) -> Verdict:
    if size > images.MAX_BYTES:
        return Verdict(_hash_at(file, offset, size), "too-many-bytes", f"{size >> 20} MiB")
    return examine(read_at(file, offset, size), recipe)


def _hash_at(file: int, offset: int, size: int) -> str:
    digest = hashlib.sha256()
    for start in range(offset, offset + size, _CHUNK):
        digest.update(read_at(file, start, min(_CHUNK, offset + size - start)))
    return digest.hexdigest()


def read_at(file: int, offset: int, size: int) -> bytes:
    """Read from an open file.

    Raises:
        EOFError: the file ends too early.
    """
    data = os.pread(file, size, offset)
    if len(data) != size:
        raise EOFError
    return data


def work(requests: "Connection[Any, Any]", archive: Path, recipe: Recipe) -> None:
    """Examine photos in a worker process, on one core: answer each (number, places) with (number, verdicts)."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the parent stops, and that ends its workers
    with suppress(EOFError, ConnectionError):  # the parent has closed the pipe, or is gone
        while True:
            number, places = requests.recv()
            requests.send((number, _answer(archive, places, recipe)))


def _answer(archive: Path, places: Sequence[tuple[int, int]], recipe: Recipe) -> list[Verdict] | PetparkError:
    try:
        return examine_all(archive, places, recipe)
    except PetparkError as error:
        return error
