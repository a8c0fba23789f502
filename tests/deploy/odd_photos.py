"""Photos that no camera makes, drawn on the spot, and photos spoilt in every way."""

import io
import random
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests.conftest import draw, encoded

_SOS, _EOI = 0xDA, 0xD9


def segments(photo: bytes) -> list[tuple[int, bytes]]:
    """The segments of a JPEG after its first two bytes, each with its marker; a scan comes with its data."""
    found, place = [], 2
    while (marker := photo[place + 1]) != _EOI:
        end = place + 2 + int.from_bytes(photo[place + 2 : place + 4])
        while marker == _SOS and not (photo[end] == 0xFF and photo[end + 1] not in (0, *range(0xD0, 0xD8))):
            end += 1
        found.append((marker, photo[place:end]))
        place = end
    return found


def many_scans(side: int, count: int) -> bytes:
    """A progressive JPEG of a few kilobytes that refines the picture again and again."""
    flat = encoded(Image.fromarray(np.full((side, side), 99, np.uint8)), "JPEG", progressive=True)
    parts = segments(flat)
    last = next(data for marker, data in reversed(parts) if marker == _SOS)
    return b"\xff\xd8" + b"".join(data for _, data in parts) + last * count + b"\xff\xd9"


def enlarged_jpeg(side: int) -> bytes:
    """A JPEG whose header tells of more pixels than it has."""
    photo = bytearray(encoded(draw(1), "JPEG"))
    place = photo.index(b"\xff\xc0") + 5
    photo[place : place + 4] = struct.pack(">HH", side, side)
    return bytes(photo)


def black_png(side: int) -> bytes:
    """A whole PNG of many pixels in few bytes: black, one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def long_gif(frames: int) -> bytes:
    """An animation of so many frames."""
    two = encoded(draw(1), "GIF", save_all=True, append_images=[draw(2)], loop=0)
    second = two.rindex(b"\x21\xf9\x04")
    return two[:second] + two[second:-1] * (frames - 1) + two[-1:]


def long_webp(frames: int) -> bytes:
    """An animation of so many frames."""
    two = encoded(draw(1), "WEBP", save_all=True, append_images=[draw(2)], loop=0)
    frame = two[two.rindex(b"ANMF") :]
    body = two[8:] + frame * (frames - 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bombs(side: int = 4990) -> dict[str, bytes]:
    """Photos of as many pixels as are allowed, in few bytes, in the modes that cost most to convert."""

    def blank(mode: str) -> Image.Image:
        return Image.new(mode, (side, side))

    return {
        "png-rgba": encoded(blank("RGBA"), "PNG", compress_level=1),
        "png-palette": encoded(blank("P"), "PNG", compress_level=1, transparency=0),
        "png-16-bit": encoded(Image.fromarray(np.zeros((side, side), np.uint16)), "PNG", compress_level=1),
        "tiff-32-bit": encoded(blank("I"), "TIFF", compression="packbits"),
        "gif": encoded(blank("P"), "GIF"),
        "webp": encoded(blank("RGBA"), "WEBP", lossless=True, quality=0, method=0),
        "jpeg-cmyk": encoded(blank("CMYK"), "JPEG"),
    }


def sound() -> list[bytes]:
    """One photo of every format and of every odd mode."""
    picture = draw(7, width=80, height=60)
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
    return [
        *(encoded(picture, kind) for kind in kinds),
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.convert("L"), "JPEG"),
        encoded(picture.convert("CMYK"), "JPEG"),
        encoded(picture.convert("RGBA"), "PNG"),
        encoded(picture.convert("P"), "PNG", transparency=3),
        encoded(Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(60, 80) * 13), "PNG"),
        encoded(picture, "WEBP", lossless=True),
        *(encoded(picture, "TIFF", compression=each) for each in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        encoded(picture.convert("1"), "TIFF", compression="group4"),
        _with_exif(picture),
    ]


def _with_exif(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture, "JPEG", exif=exif.tobytes())


def spoilt(photo: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """A photo cut short, with other bytes, with pieces that were moved, doubled, taken out, or taken from another."""
    data = bytearray(photo)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not data:
            break
        place = rng.randrange(len(data))
        length = rng.choice((1, 4, 16, 300))
        match rng.randrange(8):
            case 0:
                del data[place:]
            case 1:
                data[place] ^= 1 << rng.randrange(8)
            case 2:
                data[place : place + length] = rng.randbytes(length)
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = data[rng.randrange(len(data)) :][:length]
            case 5:
                early = rng.randrange(min(len(data), 64))  # the header, where sizes and offsets stand
                data[early : early + 1] = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01"))
            case 6:
                middle = len(data) // 2
                data = data[middle:] + data[:middle] if rng.random() < 0.1 else data[:place] + data[place:][::-1]
            case _:
                other = rng.choice(others or (photo,))
                data[place:] = other[place:]
    return bytes(data)


def small(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()
