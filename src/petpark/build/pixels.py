"""Decoded photos for the trainer: one memory-mapped file, bounded on disk, made once for many epochs."""

import hashlib
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from petpark import files, images, layout
from petpark.errors import DataError
from petpark.lake import Photos

FOLDER: Final = layout.SCRATCH / "pixels"
_DECODED, _ENCODED, _PLACES = "decoded.bin", "encoded.bin", "places.npy"
_AHEAD: Final = 256


class Pixels:
    """N photos as squares of one size, uint8 [N, size, size, 3], read by row.

    Of the first ones the pixels are kept, of the rest only the JPEG bytes, and each read decodes them anew.

    Args:
        decoded: the first D photos, uint8 [D, size, size, 3].
        encoded: the JPEG bytes of the rest, end to end.
        places: start and end of each in `encoded`, [N - D, 2].
    """

    def __init__(self, decoded: images.Pixels, encoded: NDArray[np.uint8], places: NDArray[np.int64]) -> None:
        self._decoded, self._encoded, self._places = decoded, encoded, places
        self._size = int(decoded.shape[1])

    def __getitem__(self, rows: NDArray[np.int64]) -> images.Pixels:
        """Read photos, uint8 [len(rows), size, size, 3]."""
        kept = rows < len(self._decoded)
        if kept.all():
            return np.asarray(self._decoded[rows])
        out = np.empty((len(rows), *self._decoded.shape[1:]), np.uint8)
        out[kept] = self._decoded[rows[kept]]
        for place in np.flatnonzero(~kept).tolist():
            out[place] = self._decode(int(rows[place]) - len(self._decoded))
        return out

    def _decode(self, number: int) -> images.Pixels:
        start, end = self._places[number].tolist()
        return square(self._encoded[start:end].tobytes(), self._size)


def square(jpeg: bytes, size: int) -> images.Pixels:
    """Decode a stored photo as the classifier does, uint8 [size, size, 3].

    Raises:
        DataError: the bytes are no longer what ingest stored.
    """
    try:
        return images.prepare(images.decode(jpeg, min_side=size).pixels, size)
    except images.ImageError as error:
        raise DataError(f"{layout.LAKE} holds a broken photo ({error}): remove it and run `dvc repro` again.") from None


def squares(photos: Photos, size: int, title: str) -> Iterator[tuple[int, images.Pixels, bytes]]:
    """Decode stored photos on all cores, and yield (row, square, JPEG bytes)."""
    stored = iter(tqdm(photos.stored(), title, len(photos), unit="photo", disable=None, leave=False))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        while chunk := list(islice(stored, _AHEAD)):
            decoded = pool.map(lambda item: square(item[1], size), chunk)
            yield from ((row, pixels, jpeg) for (row, jpeg), pixels in zip(chunk, decoded, strict=True))


def load(photos: Photos, size: int, title: str) -> images.Pixels:
    """Decode a few photos into memory, uint8 [N, size, size, 3]."""
    out = np.empty((len(photos), size, size, 3), np.uint8)
    for row, pixels, _ in squares(photos, size, title):
        out[row] = pixels
    return out


def cached(photos: Photos, size: int, key: str, limit: int, folder: Path = FOLDER) -> Pixels:
    """Open the decoded photos, and decode them first if they are not there yet.

    Args:
        photos: which; their order is the order of the rows.
        size: side of the squares in pixels.
        key: fingerprint of the lake and of the code; other ones get other files, and old files go.
        limit: bytes that decoded photos may take on disk.
        folder: where the files lie.
    """
    kept = min(len(photos), limit // (3 * size * size))
    name = hashlib.sha256(f"{key} {size} {kept} {len(photos)}".encode()).hexdigest()[:16]
    place = folder / name
    if not place.is_dir():
        for old in folder.glob("*"):
            files.remove(old)
        with files.whole(place) as partial:
            partial.mkdir(parents=True)
            _keep_decoded(partial / _DECODED, photos.take(np.arange(kept)), size)
            _keep_encoded(partial, photos.take(np.arange(kept, len(photos))))
    return Pixels(
        _mapped(place / _DECODED, (kept, size, size, 3)),
        _mapped(place / _ENCODED, ((place / _ENCODED).stat().st_size,)),
        np.load(place / _PLACES),
    )


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.memmap(path, np.uint8, "r", shape=shape) if math.prod(shape) else np.empty(shape, np.uint8)


def _keep_decoded(path: Path, photos: Photos, size: int) -> None:
    """Write squares in the order of the rows; by `write`, since a full disk would kill who writes to a mapped file."""
    with path.open("wb") as file:
        for row, pixels, _ in squares(photos, size, "decode"):
            file.seek(row * pixels.nbytes)
            file.write(pixels.data)


def _keep_encoded(folder: Path, photos: Photos) -> None:
    """Write JPEG bytes in the order in which they come, and where each begins and ends."""
    places = np.zeros((len(photos), 2), np.int64)
    with (folder / _ENCODED).open("wb") as file:
        for row, jpeg in photos.stored():
            start = file.tell()
            places[row] = start, start + file.write(jpeg)
    np.save(folder / _PLACES, places)
