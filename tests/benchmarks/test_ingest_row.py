"""The pictures, and the contenders of ingest at a tiny size."""

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks import feeding, harness, ingest, peers, pictures
from petpark import layout
from tests.benchmarks.conftest import installed

PEERS = ["PIL script", "Hugging Face datasets", "Hugging Face datasets, the script inside"]

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.mark.parametrize("draw", [pictures.photos, pictures.small])
def test_pictures_are_the_same_each_time_and_no_two_alike(draw: Callable[[int], Iterator[tuple[str, bytes]]]) -> None:
    first, second = list(draw(40)), list(draw(40))
    assert first == second
    assert len({data for _, data in first}) == 40


def test_photos_have_their_size_and_about_as_many_bytes_as_a_camera_gives() -> None:
    photos = list(pictures.photos(36))
    assert {Image.open(io.BytesIO(data)).size for _, data in photos} == {(500, 375)}
    assert 15_000 < np.mean([len(data) for _, data in photos]) < 50_000
    assert "drawn" in pictures.source()


def test_photos_come_from_the_real_originals_where_they_are(test_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = next(pictures.photos(1))
    monkeypatch.setenv("PETPARK_TEST_DATA", str(test_data))
    real = next(pictures.photos(1))
    assert pictures.source() == "real photos"
    assert real != drawn
    assert Image.open(io.BytesIO(real[1])).size == (500, 375)


def test_an_archive_holds_pictures_by_label(tmp_path: Path) -> None:
    archive = pictures.pack(tmp_path / "data" / "some.tar", pictures.small(6))
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names == sorted(names)
    assert {name.partition("/")[0] for name in names} == set(pictures.LABELS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos as an archive and as loose files."""
    folder = tmp_path_factory.mktemp("photos")
    ingest.lay(folder, 12)
    return folder


@pytest.mark.parametrize("racer", [ingest.petpark, peers.codec, peers.codec_quick, peers.script])
def test_a_contender_of_ingest_takes_its_time(photos: Path, racer: object) -> None:
    assert callable(racer)
    assert 0 < harness.apart(racer, str(photos)) < 60


def test_the_script_stores_what_petpark_stores(photos: Path) -> None:
    harness.apart(peers.script, str(photos))
    harness.apart(ingest.petpark, str(photos))
    theirs = pq.read_table(photos / "script.parquet").to_pylist()
    ours = pq.read_table(photos / layout.manifest("photos")).to_pylist()
    assert {(row["id"], row["label"]) for row in theirs} == {(row["id"], row["label"]) for row in ours}
    assert {Image.open(io.BytesIO(row["jpeg"])).size for row in theirs} == {(213, 160)}


@pytest.mark.parametrize("racer", [peers.hugging_face, peers.hugging_face_with_script])
def test_hugging_face_stores_every_photo_shrunk(photos: Path, racer: object) -> None:
    installed("datasets")
    assert callable(racer)
    assert harness.apart(racer, str(photos)) > 0
    table = pq.read_table(photos / "datasets.parquet")
    stored = [each["bytes"] if isinstance(each, dict) else each for each in table.column(_image(table)).to_pylist()]
    assert len(stored) == 12
    assert {Image.open(io.BytesIO(each)).size for each in stored} == {(213, 160)}


def _image(table: object) -> str:
    names = getattr(table, "column_names", [])
    return "image" if "image" in names else "jpeg"


def raced(ours: float, codec: float, *others: float) -> dict[str, list[float]]:
    return {"petpark": [ours], "limit": [codec]} | {name: [each] for name, each in zip(PEERS, others, strict=False)}


@pytest.mark.parametrize(
    ("seconds", "met"),
    [
        (raced(1.0, 0.8, 1.1, 3.0, 1.2), True),
        (raced(1.0, 0.79, 1.1, 3.0, 1.2), False),
        (raced(1.0, 0.8, 0.9, 3.0, 1.2), False),
        (raced(1.0, 0.8, 1.1, 2.9, 1.2), False),
        (raced(1.0, 0.8, 1.1), False),
    ],
)
def test_ingest_is_judged_by_limit_script_and_hugging_face(seconds: dict[str, list[float]], *, met: bool) -> None:
    found = ingest.judge(seconds, 800)
    assert found.met is met
    assert found.figure == seconds["limit"][0]
    assert f"{800 / seconds['limit'][0]:,.0f} photos/s" in found.limit


def test_where_datasets_is_missing_its_contenders_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "find_spec", lambda _: None)
    monkeypatch.setattr(feeding, "find_spec", lambda _: None)
    assert not [name for name in {**ingest.contenders(), **feeding.contenders()} if "Hugging" in name]
