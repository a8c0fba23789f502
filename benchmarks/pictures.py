"""The pictures that contenders work on: photos of 500 x 375 pixels, and small drawn ones by the hundred thousand."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from petpark import images

Pixels = NDArray[np.uint8]

LABELS: Final = ("ash", "beech")
WIDTH, HEIGHT = 500, 375
_VARIABLE: Final = "PETPARK_TEST_DATA"
_ORIGINALS: Final = Path("data/pets-originals.tar")
_QUALITIES: Final = (80, 92)
_SMALLEST_CROP: Final = 0.85  # of a photo's sides
_DRAWN: Final = 32  # drawings that photos are cut from, where there are no real ones
_GRAIN: Final = 5.0  # grey levels: with it a drawing takes about as many bytes as a photo


def source() -> str:
    """Say in words what `photos` gives."""
    return "real photos" if _folder() else f"drawn photos ({_VARIABLE} is not set)"


def photos(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield (name, JPEG bytes) of photos of 500 x 375 pixels; the same ones each time, and no two the same.

    They are crops of the real originals in the folder that PETPARK_TEST_DATA names, mirrored by turns and encoded at
    various qualities; without it, of drawings with the grain of a sensor.
    """
    originals = list(_real() if _folder() else _drawn())
    for number in range(count):
        rng = np.random.default_rng(number)
        crop = _crop(originals[number % len(originals)], rng)
        quality = int(rng.integers(*_QUALITIES))
        data: bytes = simplejpeg.encode_jpeg(crop, quality=quality, colorsubsampling="420")
        yield f"{LABELS[number % 2]}/{number:06d}.jpg", data


def small(count: int, side: int = 64) -> Iterator[tuple[str, bytes]]:
    """Yield (name, JPEG bytes) of drawn pictures of about 2 KB, whose tint tells the label; no two look alike."""
    tints = np.array([(60, 20, 0), (0, 20, 60)])
    for number in range(count):
        coarse = np.random.default_rng(number).integers(0, 190, (8, 8, 3)) + tints[number % 2]
        picture = cv2.resize(coarse.astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
        data: bytes = simplejpeg.encode_jpeg(picture, quality=85, colorsubsampling="420")
        yield f"{LABELS[number % 2]}/{number:06d}.jpg", data


def pack(path: Path, pictures: Iterator[tuple[str, bytes]]) -> Path:
    """Write pictures into an uncompressed archive, sorted by label as `petpark data add` does, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in sorted(pictures):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
            archive.members.clear()  # type: ignore[attr-defined] # tarfile would keep them all
    return path


def lay(folder: Path, pictures: Iterator[tuple[str, bytes]]) -> Path:
    """Write pictures as loose files below a folder, and return it."""
    for label in LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
    for name, data in pictures:
        (folder / name).write_bytes(data)
    return folder


def _folder() -> Path | None:
    named = os.environ.get(_VARIABLE)
    return Path(named) if named and (Path(named) / _ORIGINALS).is_file() else None


def _real() -> Iterator[Pixels]:
    """The real JPEG photos that are about as large as wanted."""
    with tarfile.open((_folder() or Path()) / _ORIGINALS) as archive:
        for info in archive:
            data = (archive.extractfile(info) or io.BytesIO()).read() if info.isreg() else b""
            try:
                photo = images.decode(data, max_pixels=4 * WIDTH * HEIGHT)
            except images.ImageError:
                continue
            if photo.format == "JPEG" and photo.width >= 0.9 * WIDTH and photo.height >= 0.8 * HEIGHT:
                yield photo.pixels


def _drawn() -> Iterator[Pixels]:
    for number in range(_DRAWN):
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 256, (8, 10, 3)).astype(np.float32)
        smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        grainy = smooth + rng.normal(0, _GRAIN, (HEIGHT, WIDTH, 1))
        yield np.clip(grainy, 0, 255).astype(np.uint8)


def _crop(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut out a random part of the shape 4 : 3, mirror half of them, and scale it to 500 x 375."""
    high, wide = photo.shape[:2]
    share = min(wide / WIDTH, high / HEIGHT) * rng.uniform(_SMALLEST_CROP, 1)
    width, height = int(WIDTH * share), int(HEIGHT * share)
    left, top = (int(rng.integers(0, room + 1)) for room in (wide - width, high - height))
    crop = photo[top : top + height, left : left + width, :: 1 if rng.random() < 0.5 else -1]
    return np.asarray(cv2.resize(np.ascontiguousarray(crop), (WIDTH, HEIGHT)), np.uint8)
