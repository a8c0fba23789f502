"""What a model said of known photos survives its file."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from petpark import predictions, shards
from petpark.errors import DataError
from petpark.predictions import Predictions


def made(count: int = 5, labels: tuple[str, ...] = ("ash", "beech", "cedar")) -> Predictions:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(len(labels)), count).astype(np.float32).reshape(count, len(labels))
    truth = rng.integers(0, len(labels), count)
    return Predictions(tuple(f"{number:064x}" for number in range(count)), labels, truth, probabilities)


@pytest.mark.parametrize("count", [0, 1, 5, 3000])
@pytest.mark.parametrize("labels", [("ash", "beech"), ("Bär, brauner", "猫", "a b")])
def test_what_is_read_is_what_was_written(tmp_path: Path, count: int, labels: tuple[str, ...]) -> None:
    path, said = tmp_path / "deep" / "predictions.parquet", made(count, labels)
    predictions.write(said, path)
    found = predictions.read(path)
    assert (found.ids, found.labels) == (said.ids, said.labels)
    assert np.array_equal(found.truth, said.truth)
    assert np.array_equal(found.probabilities, said.probabilities)
    assert found.probabilities.shape == (count, len(labels))
    assert np.array_equal(found.predicted, said.probabilities.argmax(1))


def test_a_photo_whose_label_the_model_does_not_know_has_none(tmp_path: Path) -> None:
    said = made(3)
    said.truth[1] = -1
    predictions.write(said, tmp_path / "p.parquet")
    assert predictions.read(tmp_path / "p.parquet").truth.tolist() == said.truth.tolist()


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        predictions.write(made(700), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_other_programs_read_labels_by_name(tmp_path: Path) -> None:
    predictions.write(made(4), tmp_path / "p.parquet")
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    said = made(4)
    assert [row["label"] for row in rows] == [said.labels[place] for place in said.truth]
    assert [row["predicted"] for row in rows] == [said.labels[place] for place in said.predicted]
    assert rows[0]["probabilities"] == said.probabilities[0].tolist()


def test_a_missing_file_is_missed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"p\.parquet is missing"):
        predictions.read(tmp_path / "p.parquet")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    predictions.write(made(), path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="cannot be read"):
        predictions.read(path)


@pytest.mark.parametrize("lacks", ["the labels", "a column"])
def test_another_table_is_refused(tmp_path: Path, lacks: str) -> None:
    table = pa.table({"id": ["a"], "label": ["ash"], "probabilities": [[1.0]]})
    if lacks == "a column":
        table = table.drop_columns(["probabilities"]).replace_schema_metadata({"labels": "ash"})
    shards.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(DataError, match="holds no predictions"):
        predictions.read(tmp_path / "p.parquet")
