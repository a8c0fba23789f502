"""The split lake as everything else reads it."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from petpark import images, lake, layout, shards
from petpark.errors import DataError
from petpark.lake import SIDES, Photos
from tests.build import lakes


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two batches and three labels; to be left as it is."""
    folder = tmp_path_factory.mktemp("lake")
    lakes.grow(folder, 90)
    return folder


@pytest.fixture
def photos(grown: Path, monkeypatch: pytest.MonkeyPatch) -> Photos:
    monkeypatch.chdir(grown)
    return lake.read_split()


def row(number: int, label: str, side: str | None) -> dict[str, object]:
    return {"id": f"{number:064x}", "label": label, "batch": "b", "side": side, "part": 0, "row": number}


def table(*rows: dict[str, object]) -> Photos:
    return Photos(pa.Table.from_pylist(list(rows), schema=lake.SPLIT))


def test_every_photo_is_on_one_side(photos: Photos) -> None:
    sides = {name: set(lake.side(photos, name).ids) for name in SIDES}
    assert all(sides.values())
    assert sum(map(len, sides.values())) == len(photos) == 90
    assert set.union(*sides.values()) == set(photos.ids)


def test_dropped_photos_are_on_no_side_and_their_labels_do_not_count() -> None:
    photos = table(row(1, "ash", "train"), row(2, "cedar", None), row(3, "beech", "test"), row(4, "ash", "test"))
    assert lake.labels(photos) == ("ash", "beech")
    assert [len(lake.side(photos, name)) for name in SIDES] == [1, 0, 2]
    assert lake.side(photos, "test").ids == [f"{3:064x}", f"{4:064x}"]


def test_targets_are_places_in_the_given_labels(photos: Photos) -> None:
    names = photos.column("label").tolist()
    for labels in (lakes.LABELS, ("zebra", *reversed(lakes.LABELS))):
        assert [labels[place] for place in photos.targets(labels).tolist()] == names
    assert photos.targets(lakes.LABELS).dtype == np.int64


def test_photos_are_taken_in_the_asked_order(photos: Photos) -> None:
    rows = np.array([5, 2, 80, 2])
    assert photos.take(rows).ids == [photos.ids[place] for place in rows]
    assert len(photos.take(np.array([], np.int64))) == 0


def test_every_stored_photo_comes_once_with_its_row(photos: Photos) -> None:
    shuffled = photos.take(np.random.default_rng(0).permutation(len(photos)))
    stored = dict(shuffled.stored())
    assert sorted(stored) == list(range(len(photos)))
    labels, widths = shuffled.column("label").tolist(), shuffled.column("width").tolist()
    for place, jpeg in stored.items():
        photo = images.decode(jpeg)
        assert lakes.LABELS[int(photo.pixels.mean((0, 1)).argmax())] == labels[place]
        assert min(photo.width, photo.height) == 40 < widths[place]


def test_stored_photos_come_in_the_order_of_the_disk(photos: Photos) -> None:
    columns = [photos.column(name).tolist() for name in ("batch", "part", "row")]
    places = list(zip(*columns, strict=True))
    assert [places[place] for place, _ in photos.stored()] == sorted(places)


def test_a_photo_that_was_taken_twice_is_stored_twice(photos: Photos) -> None:
    twice = photos.take(np.array([7, 3, 7]))
    stored = dict(twice.stored())
    assert sorted(stored) == [0, 1, 2]
    assert stored[0] == stored[2] != stored[1]


def test_of_no_photos_nothing_is_stored(photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(photos.take(np.array([], np.int64)).stored()) == []


def test_stored_is_what_the_shard_holds(photos: Photos) -> None:
    one = lake.side(photos, "test").take(np.array([0]))
    batch, part, place = (one.column(name)[0] for name in ("batch", "part", "row"))
    held = shards.read_table(layout.shard(str(batch)) / f"part-{part:05d}.parquet").to_pylist()[int(place)]
    assert held["id"] == one.ids[0]
    assert hashlib.sha256(dict(one.stored())[0]).digest() == hashlib.sha256(held["jpeg"]).digest()


def test_a_split_that_is_not_there_is_missed(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"lake/split\.parquet is missing"):
        lake.read_split()


def test_a_split_of_another_kind_is_refused(workspace: Path) -> None:
    layout.LAKE.mkdir()
    shards.write_table(pa.table({"id": ["a"]}), layout.SPLIT)
    with pytest.raises(DataError, match=r"lake/split\.parquet cannot be read"):
        lake.read_split()


def test_a_shard_that_is_not_there_is_missed(photos: Photos, workspace: Path) -> None:
    with pytest.raises(DataError, match=r"is missing.*dvc pull lake/first/shard"):
        list(photos.stored())
