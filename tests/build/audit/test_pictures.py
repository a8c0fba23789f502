"""Thumbnails, of whatever can be shown."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from petpark import layout
from petpark.build.audit import material, pictures
from petpark.build.audit.findings import Quarantined
from tests.build.audit import planted
from tests.build.audit.planted import identity
from tests.conftest import draw, encoded, jpeg, pack

MANY = 50_000_000


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def shown(
    reason: str, data: bytes, *, max_pixels: int = MANY, batch: str = "park", size: tuple[int, int] | None = None
) -> tuple[dict[str, bytes], list[str]]:
    """Put one quarantined photo into an archive, and ask for its picture."""
    pack(layout.archive(batch), {"ash/good.jpg": planted.photo("ash", 1), "ash/bad": data})
    case = Quarantined(identity(data), batch, "ash", "ash/bad", reason, None)
    return pictures.of_quarantined([case], max_pixels)


def test_stored_photos_become_small_jpegs(workspace: Path) -> None:
    big = {"ash/big.jpg": jpeg(draw(5, width=900, height=300, tint=(200, 60, 60)))}
    settings = planted.lake(park={**planted.clean(8), **big})
    photos = material.read(settings).photos
    ids = [photos.ids[3], identity(big["ash/big.jpg"]), photos.ids[3]]
    found = pictures.of_stored(photos, ids)
    assert found.keys() == set(ids)
    assert opened(found[ids[1]]).format == "JPEG"
    assert max(opened(found[ids[1]]).size) <= 160
    assert found == pictures.of_stored(photos, ids)


def test_each_thumbnail_is_of_its_own_photo(workspace: Path) -> None:
    photos = material.read(planted.lake(park=planted.clean(8))).photos
    found = pictures.of_stored(photos, photos.ids)
    for photo_id, label in zip(photos.ids, photos.column("label").tolist(), strict=True):
        mean = np.asarray(opened(found[photo_id])).mean((0, 1))
        assert ("ash", "beech", "cedar")[int(mean.argmax())] == label


def test_a_truncated_photo_shows_what_is_there(workspace: Path) -> None:
    whole = jpeg(draw(6, width=400, height=300, tint=(220, 30, 30)))
    found, missing = shown("damaged", whole[: len(whole) * 2 // 3])
    (picture,) = found.values()
    top = np.asarray(opened(picture))[:20].mean((0, 1))
    assert top[0] > top[1] + 20
    assert missing == []
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False, "everyone else goes on being strict"


def test_a_tiny_photo_is_shown_as_it_is(workspace: Path) -> None:
    (picture,) = shown("too-small", encoded(draw(1, width=9, height=5), "PNG"))[0].values()
    assert opened(picture).size == (9, 5)


def test_an_extreme_shape_is_shown(workspace: Path) -> None:
    (picture,) = shown("extreme-shape", encoded(draw(1, width=900, height=20), "PNG"))[0].values()
    assert opened(picture).size == (160, 4)


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("empty", b""),
        ("not-an-image", b"hello"),
        ("damaged", b"\xff\xd8\xff nothing"),
        ("damaged", b"\x89PNG\r\n\x1a\n"),
    ],
)
def test_what_cannot_be_shown_has_no_picture(workspace: Path, reason: str, data: bytes) -> None:
    assert shown(reason, data) == ({}, [])


def test_too_many_pixels_are_never_decoded(workspace: Path) -> None:
    large = encoded(draw(1, width=300, height=200), "PNG")
    assert shown("too-many-pixels", large)[0] == {}
    assert shown("damaged", large, max_pixels=59_999)[0] == {}
    assert len(shown("damaged", large, max_pixels=60_000)[0]) == 1


def test_an_archive_that_is_not_here_is_told_with_the_remedy(workspace: Path) -> None:
    case = Quarantined("a" * 64, "park", "ash", "ash/bad", "damaged", None)
    found, missing = pictures.of_quarantined([case], MANY)
    assert found == {}
    assert missing == [
        "data/park.tar is not here: fetch it with `dvc pull data/park.tar` to see its quarantined photos."
    ]


def test_an_archive_that_is_not_here_and_has_nothing_to_show_is_not_missed(workspace: Path) -> None:
    case = Quarantined("a" * 64, "park", "ash", "ash/bad", "empty", None)
    assert pictures.of_quarantined([case], MANY) == ({}, [])


def test_a_broken_archive_is_told_and_others_are_shown(workspace: Path) -> None:
    bad = planted.photo("ash", 2)
    pack(layout.archive("whole"), {"ash/bad": bad})
    layout.archive("cut").write_bytes(layout.archive("whole").read_bytes()[:700])
    cases = [Quarantined(identity(bad), batch, "ash", "ash/bad", "damaged", None) for batch in ("cut", "whole")]
    found, missing = pictures.of_quarantined(cases, MANY)
    assert found.keys() == {identity(bad)}
    assert len(missing) == 1
    assert "data/cut.tar" in missing[0]


def test_a_file_of_that_name_in_another_archive_is_not_taken_for_it(workspace: Path) -> None:
    pack(layout.archive("park"), {"ash/bad": planted.photo("ash", 3)})
    case = Quarantined("b" * 64, "park", "ash", "ash/bad", "damaged", None)
    assert pictures.of_quarantined([case], MANY) == ({}, [])
