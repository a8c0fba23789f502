"""Golden rows: what is written comes back, bit for bit, and the committed model gives the committed answers."""

from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from petpark import Classifier, golden, images, layout
from petpark.errors import DataError
from petpark.golden import GoldenRows

ROOT = Path(__file__).parents[1]


def rows(count: int, classes: int) -> GoldenRows:
    rng = np.random.default_rng(count)
    answers = rng.dirichlet(np.ones(classes), count).astype(np.float32)
    ids = tuple(f"{number:064x}" for number in range(count))
    return GoldenRows(ids, tuple(rng.bytes(50 * number) for number in range(count)), answers)


@pytest.mark.parametrize(("count", "classes"), [(1, 2), (5, 3), (64, 120)])
def test_rows_come_back_as_they_were_written(tmp_path: Path, count: int, classes: int) -> None:
    written = rows(count, classes)
    golden.write(written, tmp_path / "golden.parquet")
    found = golden.read(tmp_path / "golden.parquet")
    assert (found.ids, found.photos) == (written.ids, written.photos)
    assert found.probabilities.dtype == np.float32
    assert found.probabilities.tobytes() == written.probabilities.tobytes()
    assert found.probabilities.shape == (count, classes)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        golden.write(rows(9, 3), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_rows_lie_beside_the_model_and_replace_older_ones(workspace: Path) -> None:
    golden.write(rows(3, 2))
    golden.write(rows(4, 2))
    assert len(golden.read().ids) == 4
    assert [path.name for path in layout.MODELS.iterdir()] == ["golden.parquet"]


def committed(path: Path) -> Path:
    """What dvc.lock names under that path, in the store of the repository."""
    stages = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"].values()
    (md5,) = {out["md5"] for stage in stages for out in stage.get("outs", []) if out["path"] == str(path)}
    found = ROOT.joinpath(".dvc/store/files/md5", md5[:2], md5[2:])
    if not found.is_file():
        pytest.skip(f"needs {path} of dvc.lock in .dvc/store: the remote is elsewhere, or `dvc push` is due")
    return found


def test_the_committed_model_gives_the_committed_answers_to_files_and_to_pixels() -> None:
    held, classifier = golden.read(committed(layout.GOLDEN)), Classifier(committed(layout.MODEL))
    decoded = [images.decode(photo).pixels for photo in held.photos]
    assert any(min(pixels.shape[:2]) > classifier.size for pixels in decoded), "no photo is scaled"
    for photos in (held.photos, decoded):
        answers = np.array([list(answer.probabilities.values()) for answer in classifier.predict_many(photos)])
        assert np.abs(answers - held.probabilities).max() <= 0.02
        assert (answers.argmax(1) == held.probabilities.argmax(1)).all()


def test_missing_rows_are_one_sentence(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"^models/golden\.parquet is missing: "):
        golden.read()


def test_rows_that_were_cut_short_are_one_sentence(workspace: Path) -> None:
    golden.write(rows(3, 2))
    layout.GOLDEN.write_bytes(layout.GOLDEN.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"^models/golden\.parquet cannot be read \("):
        golden.read()
