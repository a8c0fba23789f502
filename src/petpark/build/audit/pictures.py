"""Thumbnails for the page: of stored photos, and of quarantined ones as far as they can be shown."""

import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFile

from petpark import images, layout
from petpark.build import archive, photo
from petpark.build.audit.findings import Quarantined
from petpark.errors import DataError
from petpark.lake import Photos

_SIDE: Final = 160  # long side of a thumbnail
_QUALITY: Final = 72
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_NEVER_DECODED: Final = ("empty", "not-an-image", "too-many-bytes", "too-many-pixels")


def of_stored(photos: Photos, ids: Sequence[str]) -> dict[str, bytes]:
    """Thumbnails (JPEG) of stored photos by id.

    Raises:
        DataError: a shard is missing or broken.
    """
    place = {photo_id: row for row, photo_id in enumerate(photos.ids)}
    chosen = photos.take(np.array([place[photo_id] for photo_id in dict.fromkeys(ids)], np.int64))
    known = chosen.ids
    return {known[row]: _thumbnail(Image.open(io.BytesIO(jpeg))) for row, jpeg in chosen.stored()}


def of_quarantined(shown: Sequence[Quarantined], max_pixels: int) -> tuple[dict[str, bytes], list[str]]:
    """Thumbnails of quarantined photos by id, read from the archives and decoded as far as they go.

    What is no photo at all, and what ingest would not decode for its size, has no picture.

    Args:
        shown: photos, in the order of the archives.
        max_pixels: photos with more are not decoded.

    Returns:
        the thumbnails, and what must be fetched before the rest can be shown (sentences).
    """
    pictures: dict[str, bytes] = {}
    missing = []
    wanted: dict[str, dict[str, str]] = {}
    for each in shown:
        if each.reason not in _NEVER_DECODED:
            wanted.setdefault(each.batch, {})[each.name] = each.id
    for batch, names in wanted.items():
        try:
            pictures |= _of_archive(layout.archive(batch), names, max_pixels)
        except DataError as error:
            missing.append(str(error))
    return pictures, missing


def _of_archive(path: Path, names: Mapping[str, str], max_pixels: int) -> dict[str, bytes]:
    if not path.is_file():
        raise DataError(f"{path} is not here: fetch it with `dvc pull {path}` to see its quarantined photos.")
    found = {}
    with path.open("rb") as file:
        for member in archive.members(path):
            if member.name not in names or member.size > images.MAX_BYTES:
                continue
            data = photo.read_at(file.fileno(), member.offset, member.size)
            photo_id = names[member.name]
            if hashlib.sha256(data).hexdigest() == photo_id and (picture := _leniently(data, max_pixels)):
                found[photo_id] = picture
    return found


def _leniently(data: bytes, max_pixels: int) -> bytes | None:
    """What can be seen of a broken photo; None where that is nothing."""
    try:
        with _truncated_is_well(), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > max_pixels:
                return None
            return _thumbnail(image)
    except Exception:  # noqa: BLE001 - on broken files Pillow's readers raise whatever they stumble over
        return None


@contextmanager
def _truncated_is_well() -> Iterator[None]:
    """Let Pillow show the part of a photo that is there."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _thumbnail(image: Image.Image) -> bytes:
    image.draft("RGB", (_SIDE, _SIDE))
    small = image.convert("RGB")
    scale = _SIDE / max(small.size)
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    if scale < 1:
        small = small.resize(size, Image.Resampling.BOX)
    return images.encode(np.asarray(small), _QUALITY)
