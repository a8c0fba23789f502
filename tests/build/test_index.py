"""The index holds training photos alone, evenly of each label, as the packaged model sees them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from petpark import Classifier, files, lake, layout, nearest, shards
from petpark.build import pixels
from petpark.build.index import index
from petpark.config.package import PackageSettings
from tests import models
from tests.build import lakes


@pytest.fixture
def here(lake_here: Path) -> Path:
    """A lake and a model that answers by colours, in the current folder."""
    models.save(layout.MODEL, metadata=models.card(lakes.LABELS))
    return lake_here


def change(photo_id: str, **values: object) -> None:
    """Write other values into the split's row of one photo."""
    table = lake.read_split().table
    row = table.column("id").to_pylist().index(photo_id)
    for name, value in values.items():
        column = table.column(name).to_pylist()
        column[row] = value
        table = table.set_column(table.column_names.index(name), lake.SPLIT.field(name), [column])
    shards.write_table(table, layout.SPLIT)


def test_packaging_writes_the_index_of_the_model_that_ships(packaged_here: Path) -> None:
    found, train = nearest.read(nearest.INDEX, layout.MODEL), lake.side(lake.read_split(), "train")
    assert found.model == files.sha256(layout.MODEL)
    assert found.ids == tuple(train.ids)  # the sample is smaller than its limit
    assert found.labels == tuple(train.column("label").tolist())
    classifier = Classifier(layout.MODEL)
    _, embeddings = classifier.run(pixels.load(train, classifier.size, "train"))
    for photo_id, embedding in zip(train.ids, embeddings, strict=True):
        first = found.search(embedding, 1)[0]
        assert first.similarity > 0.999
        assert found.units[found.ids.index(photo_id)] @ embedding / np.linalg.norm(embedding) > 0.999


def test_a_stored_photo_finds_itself_and_photos_of_its_label(here: Path) -> None:
    index(lake.read_split(), 5000)
    found, photos, classifier = nearest.read(), lake.side(lake.read_split(), "test"), Classifier(layout.MODEL)
    for _, jpeg in photos.stored():
        answer = classifier.predict(jpeg, embedding=True)
        assert answer.embedding is not None
        assert {near.label for near in found.search(answer.embedding, 3)} == {answer.label}


@pytest.mark.parametrize("most", [1, 3, 20, 61])
def test_an_index_is_bounded_and_even_over_labels(here: Path, most: int) -> None:
    index(lake.read_split(), most)
    found, train = nearest.read(), lake.side(lake.read_split(), "train")
    assert len(found) == len(set(found.ids)) == most
    counts = Counter(found.labels)
    assert max(counts.values()) - min(counts[label] for label in lakes.LABELS) <= 1
    ids, labels = np.array(train.ids), train.column("label")
    for label in lakes.LABELS:  # of each the smallest ids
        mine = {photo_id for photo_id, of in zip(found.ids, found.labels, strict=True) if of == label}
        assert mine == set(sorted(ids[labels == label])[: counts[label]])


def test_a_rare_label_is_there_as_a_whole_and_the_others_share_the_rest(here: Path) -> None:
    photos = lake.read_split()
    train = lake.side(photos, "train")
    spare = [photo_id for photo_id, label in zip(train.ids, train.column("label"), strict=True) if label == "ash"][2:]
    for photo_id in spare:
        change(photo_id, side=None, dropped="excluded")
    index(lake.read_split(), 22)
    assert Counter(nearest.read().labels) == {"ash": 2, "beech": 10, "cedar": 10}


def test_excluded_photos_and_those_of_other_sides_are_never_in_it(here: Path) -> None:
    gone, *_ = lake.side(lake.read_split(), "train").ids
    change(gone, side=None, dropped="excluded")
    index(lake.read_split(), 5000)
    found = set(nearest.read().ids)
    assert gone not in found
    assert found == set(lake.side(lake.read_split(), "train").ids)


def test_a_corrected_photo_has_its_right_label(here: Path) -> None:
    photo_id, label = (lake.side(lake.read_split(), "train").table.column(name)[0].as_py() for name in ("id", "label"))
    right = next(each for each in lakes.LABELS if each != label)
    change(photo_id, label=right, corrected=True)
    index(lake.read_split(), 5000)
    found = nearest.read()
    assert found.labels[found.ids.index(photo_id)] == right


def test_no_photos_make_an_index_that_finds_none(here: Path) -> None:
    index(lake.read_split(), 0)
    assert len(nearest.read(nearest.INDEX, layout.MODEL)) == 0
    assert nearest.read().search(np.ones(3, np.float32), 4) == []


def test_the_same_lake_gives_the_same_bytes_in_whatever_order_it_comes(here: Path) -> None:
    index(lake.read_split(), 30)
    before, held = nearest.INDEX.read_bytes(), set(nearest.read().ids)
    index(lake.read_split(), 30)
    assert nearest.INDEX.read_bytes() == before
    table = lake.read_split().table
    index(lake.Photos(table.take(pa.array(np.arange(len(table))[::-1]))), 30)
    assert set(nearest.read().ids) == held


def test_the_setting_is_a_number_of_photos() -> None:
    assert PackageSettings().index_photos == 5000
    assert PackageSettings(index_photos=0).index_photos == 0
