"""Decoded photos for the trainer: one memory-mapped file, bounded on disk, made once for many epochs."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from petpark import files, images
from petpark.lake import Photos
from petpark.layout import SCRATCH

_FOLDER: Final = SCRATCH / "pixels"
_AHEAD: Final = 256


class Pixels:
    """N photos as squares of one size, uint8 [N, size, size, 3], read by row.

    The first ones, as many as fit into `limit` bytes, are kept decoded; of the rest only the JPEG bytes are kept and
    each read decodes them anew.
    """

    def __init__(self, decoded: NDArray[np.uint8], encoded: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._decoded, self._encoded, self._ends = decoded, encoded, ends
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
        start = int(self._ends[number - 1]) if number else 0
        jpeg = self._encoded[start : int(self._ends[number])].tobytes()
        return square(jpeg, self._size)


def square(jpeg: bytes, size: int) -> images.Pixels:
    """Decode a stored photo as the classifier does, uint8 [size, size, 3]."""
    return images.prepare(images.decode(jpeg, min_side=size).pixels, size)


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


def cached(photos: Photos, size: int, key: str, limit: int) -> Pixels:
    """Open the decoded photos, and decode them first if they are not there yet.

    Args:
        photos: which; their order is the order of the rows.
        size: side of the squares in pixels.
        key: fingerprint of the lake; another lake gets another file, and old files go.
        limit: bytes that decoded photos may take on disk.
    """
    name = hashlib.sha256(f"{key} {size} {limit} {len(photos)}".encode()).hexdigest()[:16]
    folder = _FOLDER / name
    if not folder.is_dir():
        if _FOLDER.is_dir():
            for old in _FOLDER.iterdir():
                files.remove(old)
        with files.whole(folder) as partial:
            _fill(partial, photos, size, limit)
    return Pixels(
        np.load(folder / "decoded.npy", mmap_mode="r"),
        np.memmap(folder / "encoded.bin", np.uint8, "r") if (folder / "encoded.bin").stat().st_size else _NOTHING,
        np.load(folder / "ends.npy"),
    )


_NOTHING: Final = np.empty(0, np.uint8)


def _fill(folder: Path, photos: Photos, size: int, limit: int) -> None:
    folder.mkdir(parents=True)
    kept = min(len(photos), limit // (3 * size * size))
    shape = (kept, size, size, 3)
    decoded = np.lib.format.open_memmap(folder / "decoded.npy", "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
    for row, pixels, _ in squares(photos.take(np.arange(kept)), size, "decode"):
        decoded[row] = pixels
    rest = photos.take(np.arange(kept, len(photos)))
    lengths, starts = _lengths(rest)
    ends = np.cumsum(lengths)
    np.save(folder / "ends.npy", ends)
    with (folder / "encoded.bin").open("wb") as file:
        for row, jpeg in rest.stored():
            file.seek(int(starts[row]))
            file.write(jpeg)


def _lengths(photos: Photos) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lengths = np.zeros(len(photos), np.int64)
    for row, jpeg in photos.stored():
        lengths[row] = len(jpeg)
    return lengths, np.cumsum(lengths) - lengths
