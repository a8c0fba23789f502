"""JPEGs of too many scans."""

import random
import time

import pytest

from petpark.deploy.serving import scans
from petpark.images import ImageError
from tests.conftest import draw, encoded
from tests.deploy import odd_photos


def refused(photo: bytes) -> bool:
    try:
        scans.check(bytearray(photo))
    except ImageError:
        return True
    return False


def test_what_encoders_make_passes() -> None:
    for photo in odd_photos.sound():
        assert not refused(photo)
    assert not refused(encoded(draw(1, width=640, height=480), "JPEG", progressive=True, quality=99))


def test_as_many_scans_as_no_encoder_makes_are_refused() -> None:
    assert not refused(odd_photos.many_scans(64, 90))
    assert refused(odd_photos.many_scans(64, 100))
    assert refused(odd_photos.many_scans(64, 50_000))


@pytest.mark.parametrize("before", [b"\xff\xe0\x00\x04ab", b"\xff\xc4\x00\x02", b"\xff\xff"])
def test_no_head_hides_the_scans(before: bytes) -> None:
    photo = odd_photos.many_scans(64, 200)
    for count in (1, 10, 1000):
        assert refused(photo[:2] + before * count + photo[2:])


def test_a_plain_frame_whose_first_scan_lacks_a_colour_is_counted() -> None:
    plain = encoded(draw(1), "JPEG")
    parts = odd_photos.segments(plain)
    scan = next(data for marker, data in parts if marker == 0xDA)
    lacking = scan[:4] + b"\x01" + scan[5:]
    assert refused(plain[: plain.index(scan)] + lacking * 200)
    assert not refused(plain[: plain.index(scan)] + scan * 200)  # decoders stop after the first one


def test_scans_in_the_pixels_of_another_format_do_not_count() -> None:
    assert not refused(b"BM" + b"\xff\xda" * 1000)


def test_no_head_takes_long() -> None:
    begin = time.process_time()
    for photo in (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 2_000_000, b"\xff\xd8" + b"\xff" * 8_000_000, b"\xff\xd8\xff"):
        refused(photo)
    assert time.process_time() - begin < 0.2


def test_spoilt_heads_are_no_defect() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        refused(odd_photos.spoilt(odd_photos.many_scans(16, 3), rng)[: rng.randrange(600)])
