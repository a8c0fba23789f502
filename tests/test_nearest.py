"""Neighbours are the nearest photos by angle, and an index of photos finds them again after it was written."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from petpark import files, layout, nearest, shards
from petpark.errors import DataError
from petpark.nearest import INDEX, Index, Neighbour

MODEL = "ab" * 32


def turned(*degrees: float, length: float = 1.0) -> NDArray[np.float32]:
    angles = np.radians(degrees)
    return (length * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32)


def test_neighbours_are_the_nearest_by_angle_the_most_similar_first() -> None:
    known = turned(0, 90, 10, 180, 45)
    rows, cosines = nearest.most_similar(turned(0, 85, length=7.0), known, 3)
    assert rows.tolist() == [[0, 2, 4], [1, 4, 2]]
    assert cosines[0] == pytest.approx(np.cos(np.radians([0, 10, 45])), abs=1e-6)
    assert cosines[1] == pytest.approx(np.cos(np.radians([5, 40, 75])), abs=1e-6)


def test_neighbours_agree_with_a_plain_search() -> None:
    rng = np.random.default_rng(1)
    query, known = (rng.normal(size=(count, 5)).astype(np.float32) for count in (20, 300))
    rows, cosines = nearest.most_similar(query, known, 4)
    for one, found, scores in zip(query, rows, cosines, strict=True):
        by_hand = np.array([one @ other / np.linalg.norm(one) / np.linalg.norm(other) for other in known])
        assert found.tolist() == np.argsort(-by_hand)[:4].tolist()
        assert scores == pytest.approx(by_hand[found], abs=1e-5)


def test_of_equals_the_first_comes_first() -> None:
    known = np.tile(turned(30), (6, 1))
    rows, _ = nearest.most_similar(turned(30, 31), known, 4)
    assert rows.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_an_embedding_of_zeros_is_like_nothing() -> None:
    rows, cosines = nearest.most_similar(np.zeros((1, 2), np.float32), turned(0, 90), 2)
    assert (rows.tolist(), cosines.tolist()) == ([[0, 1]], [[0.0, 0.0]])


@pytest.mark.parametrize(("asked", "known", "found"), [(0, 5, 3), (2, 0, 0), (2, 2, 2)])
def test_where_there_are_few_there_are_few_neighbours(asked: int, known: int, found: int) -> None:
    rows, cosines = nearest.most_similar(np.ones((asked, 2), np.float32), np.ones((known, 2), np.float32), 3)
    assert rows.shape == cosines.shape == (asked, found)
    assert rows.dtype == np.int64


def made(count: int, width: int = 96, model: str = MODEL) -> Index:
    """An index of photos whose embeddings point anywhere, and have any length."""
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(count, width)) * rng.uniform(0.01, 50, (count, 1))
    labels = [("fern", "oak", "日本")[number % 3] for number in range(count)]
    return Index([f"{number:064x}" for number in range(count)], labels, vectors.astype(np.float32), model)


def test_a_search_names_the_most_similar_photos_with_their_labels() -> None:
    index = Index(["a", "b", "c"], ["fern", "oak", "fern"], turned(0, 90, 10))
    assert len(index) == 3
    first, second = index.search(turned(2, length=9.0)[0], 2)
    assert (first.id, first.label, second.id, second.label) == ("a", "fern", "c", "fern")
    assert first.similarity == pytest.approx(np.cos(np.radians(2)), abs=1e-6)
    assert second.similarity == pytest.approx(np.cos(np.radians(8)), abs=1e-6)


def test_a_search_agrees_with_the_plain_one_and_is_never_more_similar_than_the_same() -> None:
    index = made(500)
    query = np.random.default_rng(0).normal(size=(30, 96)).astype(np.float32)
    rows, cosines = nearest.most_similar(query, index.units, 5)
    for one, found, scores in zip(query, rows.tolist(), cosines.tolist(), strict=True):
        answer = index.search(one, 5)
        assert [near.id for near in answer] == [index.ids[row] for row in found]
        assert [near.similarity for near in answer] == pytest.approx(scores, abs=1e-6)
    assert all(index.search(unit, 1)[0].similarity <= 1 for unit in index.units)
    assert all(index.search(-unit, 500)[-1].similarity >= -1 for unit in index.units)


@pytest.mark.parametrize(("held", "asked", "found"), [(3, 5, 3), (3, 0, 0), (0, 4, 0)])
def test_an_index_of_few_photos_gives_few_neighbours(held: int, asked: int, found: int) -> None:
    assert len(made(held).search(np.ones(96, np.float32), asked)) == found


def test_an_embedding_of_another_model_is_refused() -> None:
    with pytest.raises(DataError, match=r"^The index of training photos is of another model \(embeddings of 96 numb"):
        made(4).search(np.ones(95, np.float32), 2)


def test_a_search_among_5000_photos_takes_less_than_a_millisecond() -> None:
    index, taken = made(5000), []
    query = np.random.default_rng(0).normal(size=(200, 96)).astype(np.float32)
    for one in query:
        begin = time.perf_counter()
        index.search(one, 4)
        taken.append(time.perf_counter() - begin)
    assert statistics.median(taken) < 0.001


@pytest.mark.parametrize(("count", "width"), [(0, 96), (1, 1), (7, 5), (300, 128)])
def test_an_index_comes_back_and_points_where_it_pointed(workspace: Path, count: int, width: int) -> None:
    written = made(count, width)
    nearest.write(written)
    found = nearest.read()
    assert (found.ids, found.labels, found.model) == (written.ids, written.labels, MODEL)
    assert found.units.dtype == np.float32
    assert found.units.shape == (count, width if count else 0)
    cosines = (found.units * written.units).sum(1) if count else np.ones(0)
    assert (cosines > 0.9999).all()


def test_an_index_finds_the_same_photos_after_it_was_written(workspace: Path) -> None:
    written = made(2000)
    nearest.write(written)
    found = nearest.read()
    for query in np.random.default_rng(3).normal(size=(50, 96)).astype(np.float32):
        before, after = written.search(query, 8), found.search(query, 4)
        assert {near.id for near in after} <= {near.id for near in before}
        assert [near.similarity for near in after] == pytest.approx([near.similarity for near in before[:4]], abs=0.01)


def test_an_embedding_of_zeros_comes_back_as_such(workspace: Path) -> None:
    nearest.write(Index(["a", "b"], ["fern", "oak"], np.array([[0, 0], [0, -3]], np.float32)))
    assert nearest.read().units.tolist() == [[0, 0], [0, -1]]
    assert nearest.read().search(np.array([0, -2], np.float32), 2) == [
        Neighbour("b", "oak", 1),
        Neighbour("a", "fern", 0),
    ]


def test_the_same_index_gives_the_same_bytes_and_a_photo_takes_few_of_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        nearest.write(made(1600), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").stat().st_size < 150 * 1600


def test_an_index_lies_beside_the_model_and_replaces_an_older_one(workspace: Path) -> None:
    nearest.write(made(3))
    nearest.write(made(4))
    assert len(nearest.read()) == 4
    assert [path.name for path in layout.MODELS.iterdir()] == ["index.parquet"]


def test_an_index_of_another_model_is_refused(workspace: Path) -> None:
    layout.MODEL.parent.mkdir()
    layout.MODEL.write_bytes(b"a model")
    nearest.write(made(3, model=files.sha256(layout.MODEL)))
    assert len(nearest.read(INDEX, layout.MODEL)) == 3
    layout.MODEL.write_bytes(b"a later model")
    with pytest.raises(
        DataError, match=r"^models/index\.parquet is the index of another model than models/model\.onnx: "
    ):
        nearest.read(INDEX, layout.MODEL)


def test_a_missing_index_is_one_sentence(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"^models/index\.parquet is missing: fetch it with `dvc pull"):
        nearest.read()


def table(**columns: list[object]) -> pa.Table:
    """An index of two photos with some columns replaced."""
    plain: dict[str, list[object]] = {"id": ["a", "b"], "label": ["fern", "oak"], "embedding": [b"\1\2", b"\3\4"]}
    made = pa.table({**plain, **columns})
    return made.cast(pa.schema([field.with_nullable(None in columns.get(field.name, [])) for field in made.schema]))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda: table(embedding=[[1], [2]]), "holds no index of photos"),
        (lambda: table(label=[1, 2]), "holds no index of photos"),
        (lambda: table(more=[1, 2]), "holds no index of photos"),
        (lambda: table().drop_columns(["label"]), "holds no index of photos"),
        (lambda: table().replace_schema_metadata({"size": "2"}), "holds no index of photos"),
        (lambda: table(embedding=[b"\1\2", b"\3"]), "holds embeddings of several models"),
        (lambda: table(embedding=[b"\1\2", None]), "holds no index of photos"),
    ],
)
def test_a_file_that_is_no_index_is_one_sentence(workspace: Path, spoil: Callable[[], pa.Table], words: str) -> None:
    layout.MODELS.mkdir()
    good, bad = table(), spoil()
    shards.write_table(good.replace_schema_metadata({"model": MODEL}), INDEX)
    assert len(nearest.read()) == 2
    shards.write_table(bad if bad.schema.metadata else bad.replace_schema_metadata({"model": MODEL}), INDEX)
    with pytest.raises(DataError, match=rf"^models/index\.parquet {words}: make it again with `dvc repro package`\.$"):
        nearest.read()


def test_an_index_that_was_cut_short_is_one_sentence(workspace: Path) -> None:
    nearest.write(made(3))
    INDEX.write_bytes(INDEX.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"^models/index\.parquet cannot be read \("):
        nearest.read()


def test_who_reads_no_index_needs_no_pyarrow() -> None:
    code = "import sys; from petpark import explain, nearest; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "onnxruntime" in loaded
    assert not loaded & {"pyarrow", "torch", "pydantic", "tqdm", "scipy"}
