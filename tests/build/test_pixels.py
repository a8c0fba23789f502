"""Decoded photos on disk: the same pixels however little is kept, bounded, and never half-written."""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from petpark import images, lake
from petpark.build import pixels
from petpark.errors import DataError
from petpark.lake import Photos

SIZE = 36
SQUARE = 3 * SIZE * SIZE
FOLDER = Path(".petpark/pixels")


@pytest.fixture
def photos(lake_here: Path) -> Photos:
    return lake.side(lake.read_split(), "train")


def expected(photos: Photos) -> images.Pixels:
    """Every photo, decoded by hand."""
    stored = dict(photos.stored())
    return np.stack([images.prepare(images.decode(stored[row]).pixels, SIZE) for row in range(len(photos))])


def on_disk() -> list[str]:
    return sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


@pytest.mark.parametrize("kept", [0, 1, 40, 10_000])
def test_the_pixels_are_the_same_however_many_are_kept(photos: Photos, kept: int) -> None:
    cache = pixels.cached(photos, SIZE, "key", kept * SQUARE)
    rows = np.random.default_rng(0).permutation(len(photos))
    assert np.array_equal(cache[rows], expected(photos)[rows])
    assert np.array_equal(cache[rows[:1]], expected(photos)[rows[:1]])


@pytest.mark.parametrize("kept", [0, 7, 40])
def test_what_is_kept_stays_under_its_limit(photos: Photos, kept: int) -> None:
    limit = kept * SQUARE + 100
    pixels.cached(photos, SIZE, "key", limit)
    (decoded,) = FOLDER.glob("*/decoded.bin")
    assert limit - SQUARE < decoded.stat().st_size <= limit
    (encoded,) = FOLDER.glob("*/encoded.bin")
    assert encoded.stat().st_size == sum(len(jpeg) for row, jpeg in photos.stored() if row >= kept)


def test_reading_gives_what_the_model_sees_at_once(photos: Photos) -> None:
    assert np.array_equal(pixels.load(photos, SIZE, "some"), expected(photos))


def test_reading_takes_the_order_of_the_photos_and_not_of_the_disk(photos: Photos) -> None:
    rows = np.random.default_rng(1).permutation(len(photos))[:30]
    assert np.array_equal(pixels.load(photos.take(rows), SIZE, "some"), expected(photos)[rows])


@pytest.mark.parametrize("kept", [10, 10_000])
def test_the_rows_follow_the_photos_and_not_the_disk(photos: Photos, kept: int) -> None:
    rows = np.random.default_rng(2).permutation(len(photos))
    cache = pixels.cached(photos.take(rows), SIZE, "key", kept * SQUARE)
    assert np.array_equal(cache[np.arange(len(rows))], expected(photos)[rows])


def test_no_photos_are_no_pixels(photos: Photos) -> None:
    none = photos.take(np.arange(0))
    assert pixels.load(none, SIZE, "none").shape == (0, SIZE, SIZE, 3)
    assert pixels.cached(none, SIZE, "key", 1000)[np.arange(0)].shape == (0, SIZE, SIZE, 3)


def test_a_second_opening_decodes_nothing(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels.cached(photos, SIZE, "key", 10**9)
    monkeypatch.setattr(pixels, "squares", refuse)
    assert np.array_equal(pixels.cached(photos, SIZE, "key", 10**9)[np.arange(3)], expected(photos)[:3])


def refuse(*_: object) -> NoReturn:
    raise AssertionError("decoded again")


Change = Callable[[Photos], pixels.Pixels]
CHANGES: dict[str, Change] = {
    "lake": lambda photos: pixels.cached(photos, SIZE, "another", 10**9),
    "size": lambda photos: pixels.cached(photos, SIZE + 4, "key", 10**9),
    "limit": lambda photos: pixels.cached(photos, SIZE, "key", 10 * SQUARE),
    "photos": lambda photos: pixels.cached(photos.take(np.arange(9)), SIZE, "key", 10**9),
}


@pytest.mark.parametrize("what", CHANGES)
def test_another_lake_size_or_limit_gets_files_of_its_own_and_the_old_ones_go(photos: Photos, what: str) -> None:
    pixels.cached(photos, SIZE, "key", 10**9)
    before = on_disk()
    CHANGES[what](photos)
    assert len(on_disk()) == len(before) == 3
    assert not set(on_disk()) & set(before)


def test_a_limit_beyond_all_photos_keeps_the_files(photos: Photos) -> None:
    pixels.cached(photos, SIZE, "key", 10**9)
    before = on_disk()
    pixels.cached(photos, SIZE, "key", 10**8)
    assert on_disk() == before


def test_pixels_in_use_outlive_their_files(photos: Photos) -> None:
    cache = pixels.cached(photos, SIZE, "key", 40 * SQUARE)
    pixels.cached(photos, SIZE, "another", 40 * SQUARE)
    assert np.array_equal(cache[np.arange(len(photos))], expected(photos))


KILLED = """
import os, signal
from petpark import lake
from petpark.build import pixels
pixels.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
pixels.cached(lake.side(lake.read_split(), "train"), {size}, "key", {limit})
"""


@pytest.mark.parametrize("moment", ["square", "np.save"])
def test_what_a_killed_run_left_is_never_read(photos: Photos, moment: str) -> None:
    code = KILLED.format(moment=moment, size=SIZE, limit=40 * SQUARE)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert [path.suffix for path in FOLDER.iterdir()] == [".partial"]
    assert np.array_equal(pixels.cached(photos, SIZE, "key", 40 * SQUARE)[np.arange(50)], expected(photos)[:50])
    assert [path.suffix for path in FOLDER.iterdir()] == [""]


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 60 kB."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limit[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)


@pytest.mark.parametrize("limit", [0, 10**9])
def test_where_no_space_is_left_nothing_stays(photos: Photos, full_disk: None, limit: int) -> None:
    with pytest.raises(OSError, match="too large"):
        pixels.cached(photos, SIZE, "key", limit)
    assert list(FOLDER.iterdir()) == []


def test_a_stored_photo_that_broke_is_one_sentence(photos: Photos) -> None:
    _, jpeg = next(photos.stored())
    with pytest.raises(DataError, match=r"^lake holds a broken photo \(.+\): remove it and run `dvc repro` again\.$"):
        pixels.square(jpeg[: len(jpeg) // 2], SIZE)
