"""From the bytes of a photo to pixels, the one way that every part of petpark uses.

JPEG, the everyday case, is decoded by libjpeg-turbo, strictly: damage inside the image data is an error, not grey
blocks. Pillow reads the rest.
"""

import importlib
import io
import struct
from typing import Final, NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from petpark.errors import PetparkError

Pixels = NDArray[np.uint8]  # [H, W, 3], RGB

PREPROCESSING: Final = "squash-bilinear/1"  # named in every model: the picture as a whole, squashed to a square
THUMBNAIL: Final = 32
MAX_PIXELS: Final = 50_000_000
MAX_BYTES: Final = 64 << 20
MIN_SIDE: Final = 16
MAX_SHAPE: Final = 20
_ORIENTATION: Final = 0x0112
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

for _kind in ("Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP"):  # all that Pillow knows would take five times as long
    importlib.import_module(f"PIL.{_kind}ImagePlugin")
Image.MAX_IMAGE_PIXELS = None  # `check_size` is stricter, and says so in our words

REASONS: Final = {
    "empty": "no bytes",
    "not-an-image": "not a photo in a format that petpark reads (JPEG, PNG, WebP, GIF, BMP, TIFF)",
    "damaged": "the image data is cut short or broken",
    "too-many-bytes": f"the file is larger than {MAX_BYTES >> 20} MiB; not decoded",
    "too-many-pixels": "more pixels than `ingest.max_megapixels` allows; not decoded",
    "too-small": f"a side is shorter than {MIN_SIDE} pixels",
    "extreme-shape": f"one side is more than {MAX_SHAPE} times the other",
}


class ImageError(PetparkError):
    """A photo that cannot be used; `reason` is a key of REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{REASONS[reason]}{f' ({detail})' if detail else ''}")


class Decoded(NamedTuple):
    """Upright pixels, possibly scaled down while decoding, with the size of the whole photo."""

    pixels: Pixels
    width: int
    height: int
    format: str


class Properties(NamedTuple):
    """What a photo looks like, each between 0 and 1."""

    brightness: float
    contrast: float
    saturation: float


def decode(data: bytes, *, min_side: int = 0, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode a photo, upright and in RGB.

    Args:
        data: the file's bytes.
        min_side: a JPEG may be decoded at a smaller scale, as long as its short side keeps so many pixels; 0 asks for
            full size.
        max_pixels: photos with more are refused before anything is decoded.

    Raises:
        ImageError: the photo cannot be used, and why.
    """
    if not data:
        raise ImageError("empty")
    if data[:3] == b"\xff\xd8\xff":
        return _decode_jpeg(data, min_side, max_pixels)
    return _decode_other(data, max_pixels)


def prepare(pixels: Pixels, size: int) -> Pixels:
    """Squash a photo to what the model sees, [size, size, 3]: antialiased bilinear (`squash-bilinear/1`)."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def encode(pixels: Pixels, quality: int = 85) -> bytes:
    """Encode pixels as JPEG; the same pixels give the same bytes."""
    pixels = np.ascontiguousarray(pixels)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420", fastdct=True))


def properties(thumbnail: Pixels) -> Properties:
    """Measure brightness and contrast (mean and deviation of the luma) and saturation (mean of max - min)."""
    luma = _luma(thumbnail) / 1000
    red, green, blue = thumbnail[..., 0], thumbnail[..., 1], thumbnail[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    mean = luma.sum() / luma.size
    deviation = np.sqrt(np.square(luma - mean).sum() / luma.size)
    return Properties(*(round(float(value) / 255, 5) for value in (mean, deviation, spread.sum() / spread.size)))


def luminance(pixels: Pixels) -> NDArray[np.float32]:
    """Return the luma of RGB pixels (ITU-R BT.601), [H, W], 0 to 255."""
    return (_luma(pixels) / 1000).astype(np.float32)


def _luma(pixels: Pixels) -> NDArray[np.float64]:
    """Thousandths of the luma: whole numbers, so that no order of adding them changes a bit of a hash."""
    flat = pixels.reshape(-1, 3).astype(np.float64)  # as one matrix: five times as fast as picture by row
    luma: NDArray[np.float64] = np.dot(flat, _BT601)
    return luma.reshape(pixels.shape[:2])


_BT601: Final = np.array([299.0, 587.0, 114.0])


def _dct_rows(size: int, rows: int) -> NDArray[np.float64]:
    frequency, place = np.arange(rows)[:, None], np.arange(size)[None, :]
    return np.asarray(np.rint(1024 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * size))))


_DCT: Final = _dct_rows(THUMBNAIL, 8)


def perceptual_hash(thumbnail: Pixels) -> int:
    """Hash what a photo looks like into 64 bits; near-duplicates differ in few of them.

    The signs of the 8 x 8 lowest frequencies of the 32 x 32 thumbnail's cosine transform against their median
    (pHash: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010). All in whole numbers
    below 2**53: every machine computes the same bits, and a photo of one colour has no noise to hash.
    """
    low = (_DCT @ _luma(thumbnail) @ _DCT.T).ravel()
    bits = low > np.sort(low[1:])[31]
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse sizes that no camera makes.

    Raises:
        ImageError: too many pixels, too small, or an extreme shape.
    """
    if width * height > max_pixels:
        raise ImageError("too-many-pixels", f"{width} x {height}")
    if min(width, height) < MIN_SIDE:
        raise ImageError("too-small", f"{width} x {height}")
    if max(width, height) > MAX_SHAPE * min(width, height):
        raise ImageError("extreme-shape", f"{width} x {height}")


def _decode_jpeg(data: bytes, min_side: int, max_pixels: int) -> Decoded:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:  # broken, or sampled in a way that only Pillow knows
        return _decode_other(data, max_pixels)
    check_size(width, height, max_pixels)
    if space not in ("YCbCr", "Gray", "RGB"):  # CMYK and YCCK: only Pillow turns them into RGB
        return _decode_other(data, max_pixels)
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=min_side or height, min_width=min_side or width)
    except ValueError as error:
        raise ImageError("damaged", str(error)) from None
    turned = jpeg_orientation(data)
    return Decoded(_upright(pixels, turned), *((height, width) if turned > 4 else (width, height)), "JPEG")


def _decode_other(data: bytes, max_pixels: int) -> Decoded:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            check_size(*image.size, max_pixels)
            kind, pixels = str(image.format), np.array(_rgb(image))
            turned = image.getexif().get(_ORIENTATION, 1)  # asked last: Pillow turns a TIFF itself while it decodes
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise ImageError("not-an-image") from None
    except Exception as error:  # noqa: BLE001 - on broken files Pillow's readers raise whatever they stumble over
        raise ImageError("damaged", str(error)[:100]) from None
    pixels = _upright(pixels, turned if isinstance(turned, int) else 1)
    return Decoded(pixels, pixels.shape[1], pixels.shape[0], kind)


def _rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB: transparency onto white, 16-bit grey scaled to 8."""
    image.load()
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(grey, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def jpeg_orientation(data: bytes) -> int:
    """Return the EXIF orientation of a JPEG, 1 (upright) to 8; 1 where there is none.

    Read by hand (EXIF 2.32, section 4.6): opening each photo a second time in Pillow costs as much as decoding it.
    """
    place = 2
    while (marker := data[place : place + 2])[:1] == b"\xff" and marker != _SCAN:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _APP1 and data[place + 4 : place + 10] == b"Exif\x00\x00":
            return _tiff_orientation(data[place + 10 : end])
        place = place + 1 if marker == _FILL else end
    return 1


_SCAN: Final = b"\xff\xda"
_APP1: Final = b"\xff\xe1"
_FILL: Final = b"\xff\xff"


def _tiff_orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, first)
        for place in range(first + 2, first + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if tag == _ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo the EXIF orientation (2 mirrored, 3 upside down, 4 both, 5 to 8 the same, transposed)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
