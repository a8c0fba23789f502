"""Decoding, measuring and hashing photos."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from petpark import images
from petpark.images import ImageError, Pixels
from tests.conftest import draw, encoded, jpeg


def grainy(seed: int = 0, width: int = 320, height: int = 240) -> Image.Image:
    """A picture with detail everywhere, so that every byte of its file matters."""
    smooth = np.asarray(draw(seed, width=width, height=height)).astype(np.int16)
    noise = np.random.default_rng(seed).integers(-30, 31, smooth.shape)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def arrow(width: int = 48, height: int = 32) -> Image.Image:
    """A picture that looks different in each of the eight orientations."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (250, 20, 20)
    pixels[: height // 2, width // 2 :] = (20, 250, 20)
    pixels[height // 2 :, : width // 2] = (20, 20, 250)
    return Image.fromarray(pixels)


def oriented(image: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, kind, exif=exif, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def exif_segment(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    value = struct.pack(
        f"{order}HH" if kind == 3 else f"{order}I", *((orientation, 0) if kind == 3 else (orientation,))
    )
    entry = struct.pack(f"{order}HHI", 0x0112, kind, 1) + value
    other = struct.pack(f"{order}HHII", 0x0100, 4, 1, 640)
    head = b"II" if order == "<" else b"MM"
    tiff = head + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", 2) + other + entry + bytes(4)
    return segment(0xE1, b"Exif\0\0" + tiff)


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def difference(one: Pixels, two: Pixels) -> float:
    return float(np.abs(one.astype(int) - two.astype(int)).mean())


def verdict(data: bytes) -> str:
    try:
        pixels = images.decode(data).pixels
    except ImageError as error:
        return error.reason
    return f"{pixels.dtype} picture" if pixels.ndim == 3 else "no picture"


def reason(data: bytes, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        images.decode(data, **options)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_is_read_by_its_content(kind: str) -> None:
    picture = draw(1)
    photo = images.decode(encoded(picture, kind))
    assert (photo.format, photo.width, photo.height) == (kind, 96, 72)
    assert photo.pixels.shape == (72, 96, 3)
    assert photo.pixels.dtype == np.uint8
    assert difference(photo.pixels, np.asarray(picture)) < (12 if kind == "GIF" else 4)


def test_progressive_grey_and_rgb_jpegs_are_read() -> None:
    picture = draw(2)
    progressive = images.decode(encoded(picture, "JPEG", quality=95, progressive=True))
    assert difference(progressive.pixels, np.asarray(picture)) < 3
    grey = images.decode(encoded(picture.convert("L"), "JPEG", quality=95))
    assert grey.format == "JPEG"
    assert difference(grey.pixels, np.asarray(picture.convert("L").convert("RGB"))) < 3
    plain = images.decode(encoded(picture, "JPEG", quality=95, keep_rgb=True))
    assert difference(plain.pixels, np.asarray(picture)) < 3


def test_cmyk_jpegs_become_rgb() -> None:
    picture = draw(3)
    photo = images.decode(encoded(picture.convert("CMYK"), "JPEG", quality=95))
    assert photo.format == "JPEG"
    assert difference(photo.pixels, np.asarray(picture)) < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_photos_are_turned_upright_as_pillow_does(orientation: int, kind: str) -> None:
    data = oriented(arrow(), orientation, kind)
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    photo = images.decode(data)
    assert (photo.width, photo.height) == upright.size
    assert photo.pixels.shape[:2] == upright.size[::-1]
    assert difference(photo.pixels, np.asarray(upright)) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_decoded_at_a_smaller_scale_are_upright_too(orientation: int) -> None:
    photo = images.decode(oriented(arrow(480, 320), orientation), min_side=40)
    whole = images.decode(oriented(arrow(480, 320), orientation))
    assert (photo.width, photo.height) == (whole.width, whole.height)
    assert photo.pixels.shape == (whole.pixels.shape[0] // 8, whole.pixels.shape[1] // 8, 3)
    assert difference(photo.pixels, whole.pixels[4::8, 4::8]) < 12


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_read_in_both_byte_orders(order: str) -> None:
    assert images.jpeg_orientation(with_segments(jpeg(draw(1)), exif_segment(6, order))) == 6


def test_exif_is_found_behind_other_segments() -> None:
    profile = segment(0xE2, b"ICC_PROFILE\0" + bytes(65000))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    data = with_segments(jpeg(draw(1)), profile, profile, xmp, b"\xff\xff", exif_segment(8))
    assert images.jpeg_orientation(data) == 8
    assert images.decode(data).width == 72


def test_exif_inside_a_comment_or_after_the_scan_is_none() -> None:
    comment = segment(0xFE, exif_segment(6)[4:])
    assert images.jpeg_orientation(with_segments(jpeg(draw(1)), comment)) == 1
    assert images.jpeg_orientation(jpeg(draw(1)) + exif_segment(6)) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(value: int) -> None:
    assert images.jpeg_orientation(with_segments(jpeg(draw(1)), exif_segment(value))) == 1


@given(st.binary(max_size=80), st.integers(0, 60))
def test_odd_exif_never_stops_a_photo(junk: bytes, cut: int) -> None:
    data = jpeg(draw(1))
    for odd in (segment(0xE1, b"Exif\0\0" + junk), exif_segment(6)[:-cut] if cut else b"", b"\xff\xe1\x00\x00"):
        assert 1 <= images.jpeg_orientation(with_segments(data, odd)) <= 8
        assert 1 <= images.jpeg_orientation((data[:2] + odd)[: 40 + cut]) <= 8
    assert images.decode(with_segments(data, segment(0xE1, b"Exif\0\0" + junk))).pixels.size == 96 * 72 * 3


@given(cut=st.integers(0, 10**6))
def test_a_jpeg_that_ends_too_early_is_noticed_wherever_it_ends(cut: int) -> None:
    data = jpeg(grainy(width=64, height=48))
    assert reason(data[: cut % len(data)]) in {"empty", "damaged", "not-an-image"}


@pytest.mark.parametrize("min_side", [0, 60])
def test_damage_inside_a_jpeg_is_noticed(min_side: int) -> None:
    data = jpeg(grainy())
    middle = len(data) // 2
    assert reason(data[:middle] + bytes(1024) + data[middle + 1024 :], min_side=min_side) == "damaged"
    assert reason(data[: len(data) - 64], min_side=min_side) == "damaged"
    assert reason(data[:middle], min_side=min_side) == "damaged"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_other_formats_cut_in_half_are_noticed(kind: str) -> None:
    data = encoded(grainy(), kind)
    assert reason(data[: len(data) // 2]) == "damaged"


def test_a_png_with_a_wrong_checksum_is_noticed() -> None:
    data = bytearray(encoded(grainy(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    assert reason(bytes(data)) == "damaged"


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=20),
    cut=st.integers(0, 10**6),
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of odd tags
def test_whatever_the_bytes_there_is_a_picture_or_a_reason(kind: str, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(encoded(draw(1), kind))
    for place, value in changes:
        data[place % len(data)] = value
    if cut % 2:
        del data[cut % len(data) :]
    assert verdict(bytes(data)) in {*images.REASONS, "uint8 picture"}


def test_sixteen_bit_grey_keeps_its_high_byte() -> None:
    ramp = (np.arange(64 * 32, dtype=np.uint16).reshape(32, 64) * 32).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        photo = images.decode(encoded(Image.fromarray(ramp), kind))
        assert np.array_equal(photo.pixels[..., 0], ramp >> 8)
        assert np.array_equal(photo.pixels[..., 0], photo.pixels[..., 2])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_seen_on_white(mode: str) -> None:
    picture = Image.new(mode, (40, 20), (0, 0, 0, 255) if mode == "RGBA" else (0, 255))
    picture.paste((0, 0, 0, 0) if mode == "RGBA" else (0, 0), (20, 0, 40, 20))
    pixels = images.decode(encoded(picture, "PNG")).pixels
    assert (pixels[:, :20] == 0).all()
    assert (pixels[:, 20:] == 255).all()


def test_floating_point_pixels_are_no_photo_for_nobody_knows_their_white() -> None:
    grey = Image.fromarray(np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(48, 64))
    assert reason(encoded(grey, "TIFF")) == "not-an-image"


def test_transparent_colours_of_palettes_and_plain_pictures_are_white() -> None:
    palette = Image.new("P", (40, 20), 0)
    palette.putpalette([200, 0, 0, 0, 0, 200])
    palette.paste(1, (20, 0, 40, 20))
    for data in (encoded(palette, "PNG", transparency=0), encoded(palette, "GIF", transparency=0)):
        pixels = images.decode(data).pixels
        assert (pixels[:, :20] == 255).all()
        assert (pixels[:, 20:] == (0, 0, 200)).all()
    plain = Image.new("RGB", (40, 20), (1, 2, 3))
    assert (images.decode(encoded(plain, "PNG", transparency=(1, 2, 3))).pixels == 255).all()


def test_one_bit_pictures_and_animations_are_read() -> None:
    photo = images.decode(encoded(arrow().convert("1"), "PNG"))
    assert set(np.unique(photo.pixels)) <= {0, 255}
    frames = encoded(arrow(), "GIF", save_all=True, append_images=[draw(9, width=48, height=32)])
    assert difference(images.decode(frames).pixels, np.asarray(arrow())) < 12


def test_no_bytes_and_other_files_have_their_reasons() -> None:
    assert reason(b"") == "empty"
    assert reason(b"<!doctype html><title>404</title>") == "not-an-image"
    assert reason(bytes(range(256)) * 8) == "not-an-image"
    assert reason(b"\xff\xd8\xff") in {"damaged", "not-an-image"}


def huge_png(width: int, height: int) -> bytes:
    """The header of a huge picture, with nothing behind it that could be decoded."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDATnothing"
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (head, body))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_too_many_pixels_are_refused_before_anything_is_decoded() -> None:
    assert reason(huge_png(15000, 15000)) == "too-many-pixels"
    assert reason(huge_png(6000, 6000)) == "damaged"
    assert reason(huge_png(6000, 6000), max_pixels=35_999_999) == "too-many-pixels"
    data = jpeg(grainy())
    start = data.index(b"\xff\xc0") + 5
    claimed = data[:start] + struct.pack(">HH", 60000, 60000) + data[start + 4 :]
    assert reason(claimed) == "too-many-pixels"
    assert reason(data, max_pixels=320 * 240 - 1) == "too-many-pixels"
    assert images.decode(data, max_pixels=320 * 240).width == 320


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_small_pictures_and_slivers_are_refused(kind: str) -> None:
    assert reason(encoded(Image.new("RGB", (1, 1)), kind)) == "too-small"
    assert reason(encoded(Image.new("RGB", (15, 40)), kind)) == "too-small"
    assert reason(encoded(Image.new("RGB", (16 * 21, 16)), kind)) == "extreme-shape"
    assert images.decode(encoded(Image.new("RGB", (16 * 20, 16)), kind)).width == 320


@settings(deadline=None, max_examples=40)
@given(width=st.integers(16, 300), height=st.integers(16, 300), min_side=st.integers(1, 300))
def test_a_smaller_scale_keeps_the_short_side_that_was_asked_for(width: int, height: int, min_side: int) -> None:
    data = jpeg(Image.new("RGB", (width, height), (9, 99, 199)))
    photo = images.decode(data, min_side=min_side)
    assert (photo.width, photo.height) == (width, height)
    assert min(photo.pixels.shape[:2]) >= min(min_side, width, height)
    assert max(photo.pixels.shape[:2]) <= max(width, height)


def test_a_much_larger_jpeg_is_decoded_at_a_smaller_scale() -> None:
    photo = images.decode(jpeg(draw(1, width=1600, height=1200)), min_side=150)
    assert photo.pixels.shape == (150, 200, 3)


def test_pictures_are_squashed_to_what_the_model_sees() -> None:
    pixels = np.asarray(arrow(100, 50))
    squashed = images.prepare(pixels, 20)
    assert squashed.shape == (20, 20, 3)
    assert difference(squashed[:8, :8], np.broadcast_to(np.array([250, 20, 20], np.uint8), (8, 8, 3))) < 3
    assert images.prepare(squashed, 20) is squashed


def test_encoding_is_repeatable_and_close() -> None:
    pixels = np.asarray(draw(4))
    assert images.encode(pixels) == images.encode(pixels[::1].copy())
    assert images.encode(pixels[:, ::-1]) == images.encode(pixels[:, ::-1].copy())
    assert difference(images.decode(images.encode(pixels, 95)).pixels, pixels) < 3
    assert len(images.encode(pixels, 50)) < len(images.encode(pixels, 95))


def flat(colour: tuple[int, int, int]) -> Pixels:
    return np.broadcast_to(np.array(colour, np.uint8), (32, 32, 3)).copy()


def test_properties_say_what_a_photo_looks_like() -> None:
    assert images.properties(flat((0, 0, 0))) == (0, 0, 0)
    assert images.properties(flat((255, 255, 255))) == (1, 0, 0)
    assert images.properties(flat((255, 0, 0))) == (0.299, 0, 1)
    halves = flat((0, 0, 0))
    halves[:16] = 255
    assert images.properties(halves) == (0.5, 0.5, 0)


def test_luminance_weighs_the_colours_as_broadcasting_does() -> None:
    luma = images.luminance(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8))
    assert luma.dtype == np.float32
    assert luma[0].tolist() == pytest.approx([76.245, 149.685, 29.07, 255.0])


def detailed(seed: int) -> Image.Image:
    """A picture with something in every frequency that is hashed, as photos have."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def hashed(image: Image.Image) -> int:
    return images.perceptual_hash(np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX)))


def test_the_same_picture_in_other_bytes_has_nearly_the_same_hash() -> None:
    for seed in range(20):
        picture = detailed(seed)
        first = hashed(picture)
        for other in (
            Image.open(io.BytesIO(jpeg(picture, 60))),
            picture.resize((97, 71)),
            picture.convert("L"),
            picture.point(lambda value: value * 0.7),
        ):
            assert (first ^ hashed(other)).bit_count() <= 4


def test_other_pictures_have_other_hashes() -> None:
    hashes = [hashed(detailed(seed)) for seed in range(60)]
    apart = [(one ^ two).bit_count() for i, one in enumerate(hashes) for two in hashes[:i]]
    assert min(apart) > 8
    assert 28 < np.mean(apart) < 36


def test_a_picture_of_one_colour_has_no_noise_to_hash() -> None:
    assert images.perceptual_hash(flat((0, 0, 0))) == 0
    assert {images.perceptual_hash(flat((c, c // 2, 255 - c))) for c in range(0, 256, 5)} == {1 << 63}


def test_a_hash_depends_on_no_order_of_adding() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        thumbnail = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        turned = np.ascontiguousarray(thumbnail.transpose(1, 0, 2))
        bits = np.array([int(bit) for bit in f"{images.perceptual_hash(thumbnail):064b}"]).reshape(8, 8)
        assert f"{images.perceptual_hash(turned):064b}" == "".join(str(bit) for bit in bits.T.ravel())


def test_an_error_says_why_in_words() -> None:
    with pytest.raises(ImageError, match=r"a side is shorter than 16 pixels \(3 x 2000\)"):
        images.decode(jpeg(Image.new("RGB", (3, 2000))))
    assert str(ImageError("empty")) == "no bytes"
