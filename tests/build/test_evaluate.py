"""The packaged file is judged on the test side: figures by hand, mistakes in order, the same bytes each time."""

import contextlib
import io
import json
import re
import shutil
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray
from PIL import Image

from petpark import files, images, lake, layout, nearest, predictions, shards
from petpark.build import evaluate as module
from petpark.build import pixels
from petpark.build.answers import ask
from petpark.build.evaluate import evaluate
from petpark.classifier import Classifier
from petpark.config.evaluate import EvaluateSettings
from petpark.config.policy import Cost, Mistake
from petpark.errors import DataError, ModelError
from petpark.evidence.evaluation import Evaluation
from petpark.report.page import Case, render
from tests import models
from tests.build import lakes

SETTINGS = EvaluateSettings(resamples=100, gallery=3, neighbours=40)
COST = Cost(mistakes=(Mistake(label="cedar", predicted="ash", cost=5.0),)).matrix
PAGE = layout.REPORTS / "evaluation.html"
OUTPUTS = (layout.EVALUATION, layout.PREDICTIONS, PAGE)
BIAS = (0.0, -5.5, -5.0)  # beeches and cedars that are not quite so green or blue pass for ashes


@pytest.fixture(scope="module")
def judged(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake, a model that makes mistakes, and what `evaluate` wrote; to be left as it is."""
    folder = lakes.copy(grown, tmp_path_factory.mktemp("judged"))
    models.save(folder / layout.MODEL, models.colours(bias=BIAS), models.card(threshold=0.7))
    with contextlib.chdir(folder):
        evaluate(SETTINGS, COST, seed=1)
    return folder


@pytest.fixture
def here(judged: Path, workspace: Path) -> Path:
    """A copy of it without what `evaluate` wrote, as the current folder."""
    lakes.copy(judged, workspace)
    shutil.rmtree(layout.REPORTS)
    return workspace


@pytest.fixture
def found(judged: Path) -> Evaluation:
    return Evaluation.read(judged / layout.EVALUATION)


@pytest.fixture
def said(judged: Path) -> predictions.Predictions:
    return predictions.read(judged / layout.PREDICTIONS)


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The gallery that comes to be drawn."""
    shown: list[Case] = []

    def draw(evaluation: Evaluation, gallery: Sequence[Case]) -> str:
        shown.extend(gallery)
        return render(evaluation, gallery)

    monkeypatch.setattr(module, "render", draw)
    return shown


def squares(photos: lake.Photos) -> NDArray[np.uint8]:
    """Stored photos as the model sees them, one by one."""
    stored = dict(photos.stored())
    decoded = (images.decode(stored[row], min_side=models.SIZE).pixels for row in range(len(photos)))
    return np.stack([images.prepare(each, models.SIZE) for each in decoded])


def keep_in_test(count: int) -> None:
    """Take all but so many photos out of the test side."""
    table = lake.read_split().table
    rows = np.flatnonzero(pc.equal(table.column("side"), "test").to_numpy(zero_copy_only=False))[count:]
    sides = table.column("side").to_pylist()
    for row in rows.tolist():
        sides[row] = None
    shards.write_table(table.set_column(lake.SPLIT.names.index("side"), "side", [sides]), layout.SPLIT)


def test_predictions_are_what_the_model_says_of_every_stored_photo_of_the_test_side(
    judged: Path, said: predictions.Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(judged)
    test = lake.side(lake.read_split(), "test")
    assert said.ids == tuple(test.ids)
    assert said.labels == lakes.LABELS
    assert said.truth.tolist() == [lakes.LABELS.index(str(label)) for label in test.column("label")]
    plain = models.answers(squares(test)) * np.exp(BIAS)
    assert np.allclose(said.probabilities, plain / plain.sum(1, keepdims=True), atol=1e-5)


def test_figures_are_those_computed_by_hand_on_the_predictions(
    found: Evaluation, said: predictions.Predictions
) -> None:
    truth, guess, k = said.truth, said.probabilities.argmax(1), len(said.labels)
    counts = np.array([[((truth == i) & (guess == j)).sum() for j in range(k)] for i in range(k)])
    assert found.photos == len(truth) == counts.sum()
    assert np.array_equal(found.confusion, counts)
    assert 0.3 < found.accuracy.value < 0.97, "the model makes mistakes, and not only those"
    assert found.accuracy.value == pytest.approx((truth == guess).mean(), abs=1e-6)
    recall, precision = np.diag(counts) / counts.sum(1), np.diag(counts) / counts.sum(0)
    for place, each in enumerate(found.classes):
        assert (each.label, each.photos) == (said.labels[place], counts.sum(1)[place])
        assert each.recall.value == pytest.approx(recall[place], abs=1e-6)
        assert each.precision.value == pytest.approx(precision[place], abs=1e-6)
    assert found.recall.value == pytest.approx(recall.mean(), abs=1e-6)
    assert found.recall_gap.value == pytest.approx(recall.max() - recall.min(), abs=1e-6)
    prices = np.array([[0, 1, 1], [1, 0, 1], [5, 1, 0]])
    assert found.cost.value == pytest.approx(1000 * (counts * prices).sum() / counts.sum(), abs=1e-3)
    brier = np.square(said.probabilities - np.eye(k)[truth]).sum(1).mean()
    assert found.brier.value == pytest.approx(brier, abs=1e-5)


def test_the_threshold_is_the_model_s_own(found: Evaluation, said: predictions.Predictions) -> None:
    sure = said.probabilities.max(1) >= 0.7
    assert 0 < sure.sum() < len(sure)
    assert found.sure.threshold == found.model.threshold == 0.7
    assert found.sure.share == pytest.approx(sure.mean(), abs=1e-6)
    assert found.sure.accuracy == pytest.approx((said.predicted == said.truth)[sure].mean(), abs=1e-6)
    assert (found.coverage[0].threshold, found.coverage[-1].threshold) == (0, 1)


def test_slices_and_model_are_described(judged: Path, found: Evaluation) -> None:
    for name in ("brightness", "contrast", "size", "shape", "colour", "batch"):
        assert sum(part.photos for part in found.slices if part.name == name) == found.photos
    assert {part.value for part in found.slices if part.name == "batch"} == set(lakes.BATCHES)
    model = judged / layout.MODEL
    assert (found.model.sha256, found.model.bytes) == (files.sha256(model), model.stat().st_size)
    assert (found.model.labels, found.model.image_size) == (lakes.LABELS, models.SIZE)
    assert (found.model.data, found.model.code) == ("data", "code")


def test_every_wrong_answer_is_a_mistake_the_most_confident_first(
    found: Evaluation, said: predictions.Predictions
) -> None:
    wrong = np.flatnonzero(said.predicted != said.truth).tolist()
    assert len(wrong) > SETTINGS.gallery
    ranked = sorted(wrong, key=lambda row: (-said.probabilities[row].max(), said.ids[row]))
    assert [mistake.id for mistake in found.mistakes] == [said.ids[row] for row in ranked]
    for mistake, row in zip(found.mistakes, ranked, strict=True):
        assert mistake.label == said.labels[said.truth[row]]
        assert mistake.predicted == said.labels[said.predicted[row]]
        assert mistake.confidence == pytest.approx(said.probabilities[row].max(), abs=1e-5)
        assert mistake.batch in lakes.BATCHES


def test_evidence_names_no_more_mistakes_than_can_be_committed(
    here: Path, found: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MISTAKES", 3)
    evaluate(EvaluateSettings(resamples=100), COST, seed=1)
    assert Evaluation.read(layout.EVALUATION).mistakes == found.mistakes[:3]


def test_the_gallery_shows_the_first_mistakes_with_map_and_nearest_training_photos(
    here: Path, found: Evaluation, cases: list[Case]
) -> None:
    evaluate(SETTINGS, COST, seed=1)
    assert [case.mistake for case in cases] == list(found.mistakes[:3])
    photos = lake.read_split()
    test, train = lake.side(photos, "test"), lake.side(photos, "train")
    known = train.take(np.argsort(train.ids)[:40])
    pictures, colours = dict(known.stored()), squares(known).mean((1, 2)).astype(np.float32)
    for case in cases:
        one = test.take(np.array([test.ids.index(case.mistake.id)]))
        assert case.photo == dict(one.stored())[0]
        (rows,), _ = nearest.most_similar(squares(one).mean((1, 2)).astype(np.float32), colours, 4)
        assert [near.id for near in case.neighbours] == [known.ids[row] for row in rows]
        assert [near.photo for near in case.neighbours] == [pictures[row] for row in rows]
        assert [near.label for near in case.neighbours] == known.column("label")[rows].tolist()
        assert Image.open(io.BytesIO(case.heat)).size == (192, 145)


def test_the_same_input_gives_the_same_bytes(here: Path, judged: Path) -> None:
    evaluate(SETTINGS, COST, seed=1)
    for path in OUTPUTS:
        assert path.read_bytes() == (judged / path).read_bytes(), path
    assert sorted(path.name for path in layout.REPORTS.iterdir()) == sorted(path.name for path in OUTPUTS)


def test_the_page_is_whole_in_itself_and_has_no_date(judged: Path, found: Evaluation) -> None:
    page = (judged / PAGE).read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*', page) == []
    assert "url(" not in page
    assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d", page)
    assert page.count("data:image/png") == 3
    assert all(mistake.id in page for mistake in found.mistakes)


def test_a_model_without_mistakes_has_a_page_too(here: Path, cases: list[Case]) -> None:
    models.save(layout.MODEL, metadata=models.card())
    evaluate(SETTINGS, COST, seed=1)
    found = Evaluation.read(layout.EVALUATION)
    assert (found.accuracy.value, found.mistakes, cases) == (1.0, (), [])
    assert "There was none" in PAGE.read_text()


@pytest.mark.parametrize(("gallery", "neighbours"), [(0, 40), (2, 0), (0, 0), (100, 2)])
def test_gallery_and_neighbours_may_be_none_or_few(
    here: Path, found: Evaluation, cases: list[Case], gallery: int, neighbours: int
) -> None:
    evaluate(EvaluateSettings(resamples=100, gallery=gallery, neighbours=neighbours), COST, seed=1)
    assert Evaluation.read(layout.EVALUATION) == found
    assert len(cases) == min(gallery, len(found.mistakes))
    assert {len(case.neighbours) for case in cases} <= {min(neighbours, 4)}


@pytest.mark.parametrize("photos", [1, 2, 5])
def test_a_test_side_of_few_photos_is_judged(here: Path, photos: int) -> None:
    keep_in_test(photos)
    evaluate(SETTINGS, COST, seed=1)
    found = Evaluation.read(layout.EVALUATION)
    assert found.photos == len(predictions.read(layout.PREDICTIONS).ids) == photos
    assert PAGE.exists()


def test_a_test_side_without_photos_is_refused(here: Path) -> None:
    keep_in_test(0)
    with pytest.raises(DataError, match="test side holds no photo"):
        evaluate(SETTINGS, COST, seed=1)
    assert not layout.REPORTS.exists()


def test_a_model_of_other_labels_than_the_lake_s_is_refused(here: Path) -> None:
    labels = ("ash", "beech", "cedar", "elm")
    models.save(layout.MODEL, models.colours(labels), models.card(labels), labels=4)
    with pytest.raises(DataError) as caught:
        evaluate(SETTINGS, COST, seed=1)
    assert "knows ash, beech, cedar, elm, the lake ash, beech, cedar: train again" in str(caught.value)
    assert not layout.REPORTS.exists()


def test_without_a_model_or_a_lake_that_is_said(here: Path) -> None:
    layout.SPLIT.unlink()
    with pytest.raises(DataError, match=r"lake/split\.parquet is missing"):
        evaluate(SETTINGS, COST, seed=1)
    layout.MODEL.unlink()
    with pytest.raises(ModelError, match=r"models/model\.onnx is missing"):
        evaluate(SETTINGS, COST, seed=1)


def test_a_run_that_fails_leaves_the_old_outputs_whole(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(SETTINGS, COST, seed=1)
    before = {path: path.read_bytes() for path in OUTPUTS}
    monkeypatch.setattr(module, "render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(SETTINGS, COST, seed=2)
    assert {path: path.read_bytes() for path in OUTPUTS} == before


def test_a_model_of_another_size_is_given_squares_of_its_size(here: Path) -> None:
    models.save(layout.MODEL, metadata=models.card(image_size=24), size=24)
    evaluate(SETTINGS, COST, seed=1)
    assert json.loads(layout.EVALUATION.read_text())["model"]["image_size"] == 24


def test_few_squares_are_in_memory_at_a_time(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[images.Pixels]] = []
    most = 0

    def counted(photos: lake.Photos, size: int, _: str) -> Iterator[tuple[int, images.Pixels, bytes]]:
        nonlocal most
        for row in range(300):
            square = np.full((size, size, 3), row % 250, np.uint8)
            alive.append(weakref.ref(square))
            yield row, square, b""
            most = max(most, sum(each() is not None for each in alive))

    monkeypatch.setattr(pixels, "squares", counted)
    photos = lake.read_split()
    many = photos.take(np.arange(300) % len(photos))
    answers = ask(Classifier(layout.MODEL), many, "many")
    assert answers.probabilities.shape == (300, 3)
    assert len(alive) == 300
    assert 60 < most <= 66
