"""From the file or the pixels of a photo to a prediction, with real ONNX files whose answers are known."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import petpark
from petpark import images
from petpark.card import ModelCard
from petpark.classifier import Classifier, Photo, Prediction
from petpark.errors import DataError, ModelError
from petpark.images import ImageError, Pixels
from tests import models
from tests.conftest import draw, encoded, jpeg

RED, GREEN, BLUE = (230, 40, 40), (40, 230, 40), (40, 40, 230)
GREY = (120, 120, 120)
Damage = Callable[[Path], object]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that answers by colours."""
    return models.save(tmp_path / "model.onnx", metadata=models.card())


@pytest.fixture
def classifier(model: Path) -> Classifier:
    return Classifier(model)


def photo(seed: int, tint: tuple[int, int, int], **size: int) -> bytes:
    return jpeg(draw(seed, tint=tint, **size))


def sentence(path: Path) -> str:
    """What is said of a file that is no model of ours: one sentence that names it."""
    with pytest.raises(ModelError) as caught:
        Classifier(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("tint", "label"), [(RED, "ash"), (GREEN, "beech"), (BLUE, "cedar")])
def test_a_photo_gets_the_label_of_its_colour(classifier: Classifier, tint: tuple[int, int, int], label: str) -> None:
    answer = classifier.predict(photo(1, tint))
    assert answer.label == label
    assert answer.confidence == max(answer.probabilities.values())
    assert list(answer.probabilities) == list(models.LABELS)
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert not answer.unsure


def test_a_prediction_is_what_the_graph_computes_on_the_prepared_photo(classifier: Classifier) -> None:
    data = photo(2, GREY)
    expected = models.answers(classifier.prepare(data)[None])[0]
    assert list(classifier.predict(data).probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_many_photos_get_the_answers_that_each_gets_alone_and_in_order(classifier: Classifier) -> None:
    photos = [photo(number, (RED, GREEN, BLUE)[number % 3]) for number in range(12)]
    together = classifier.predict_many(photos)
    assert [answer.label for answer in together] == [models.LABELS[number % 3] for number in range(12)]
    for answer, data in zip(together, photos, strict=True):
        assert answer.probabilities == pytest.approx(classifier.predict(data).probabilities, abs=1e-6)


def test_photos_may_come_from_a_generator(classifier: Classifier) -> None:
    assert len(classifier.predict_many(photo(number, RED) for number in range(3))) == 3


def test_no_photos_get_no_answers(classifier: Classifier) -> None:
    assert classifier.predict_many([]) == []
    assert classifier.answers(classifier.run(np.empty((0, 16, 16, 3), np.uint8))[0]) == []


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_batches_of_any_length_are_answered_row_by_row(classifier: Classifier, count: int) -> None:
    pixels = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    probabilities, embeddings = classifier.run(pixels)
    assert (probabilities.shape, embeddings.shape) == ((count, 3), (count, 3))
    assert probabilities.dtype == embeddings.dtype == np.float32
    assert np.allclose(probabilities, models.answers(pixels), atol=1e-5)
    assert np.allclose(embeddings, pixels.mean((1, 2)) / 255, atol=1e-5)


def test_an_answer_is_unsure_only_below_the_threshold(tmp_path: Path) -> None:
    data = photo(3, GREY)
    confidence = Classifier(models.save(tmp_path / "plain.onnx", metadata=models.card())).predict(data).confidence
    assert 0.34 < confidence < 0.9
    for threshold, unsure in ((confidence + 1e-6, True), (confidence, False), (0.0, False)):
        path = models.save(tmp_path / "model.onnx", metadata=models.card(threshold=threshold))
        answer = Classifier(path).predict(data)
        assert (answer.unsure, answer.confidence) == (unsure, confidence)


def test_the_first_of_two_equal_labels_wins_and_any_number_of_labels_works(tmp_path: Path) -> None:
    labels = tuple("abcdefg")
    path = models.save(tmp_path / "m.onnx", models.colours(labels), models.card(labels), labels=7)
    black = np.zeros((1, 16, 16, 3), np.uint8)
    (answer,) = Classifier(path).answers(Classifier(path).run(black)[0])
    assert answer.label == "a"
    assert answer.confidence == pytest.approx(1 / 7)


def test_what_the_file_says_of_itself_is_at_hand(tmp_path: Path) -> None:
    card = models.card(threshold=0.8, data="of the data", code="of the code")
    classifier = Classifier(str(models.save(tmp_path / "m.onnx", metadata=card)), threads=1)
    assert classifier.card == card
    assert (classifier.labels, classifier.size) == (("ash", "beech", "cedar"), 16)
    assert json.loads(card.dump())["preprocessing"] == images.PREPROCESSING


def test_many_threads_share_one_classifier_and_get_the_same_answers(classifier: Classifier) -> None:
    files = [photo(number, (RED, GREEN, BLUE)[number % 3]) for number in range(24)]
    photos: list[Photo] = [*files, *(encoded(draw(number), "PNG") for number in range(4)), *map(pixels_of, files)]
    alone = [exactly(classifier.predict(each, embedding=True)) for each in photos]
    with ThreadPoolExecutor(8) as pool:
        single = pool.map(lambda each: exactly(classifier.predict(each, embedding=True)), photos * 10)
        several = [pool.submit(classifier.predict_many, photos, embedding=True) for _ in range(8)]
        assert list(single) == alone * 10
        together = [exactly(each) for each in classifier.predict_many(photos, embedding=True)]
        assert [[exactly(each) for each in done.result()] for done in several] == [together] * 8


def exactly(answer: Prediction) -> tuple[Prediction, bytes]:
    """A prediction to the last bit."""
    assert answer.embedding is not None
    return answer, answer.embedding.tobytes()


def pixels_of(data: bytes) -> Pixels:
    """A photo's pixels at full size, as another program would decode them."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(("tint", "label"), [(RED, "ash"), (GREEN, "beech"), (BLUE, "cedar")])
@pytest.mark.parametrize("shape", [(16, 16), (16, 300), (72, 96), (600, 37)])
def test_pixels_get_the_label_of_their_colour(
    classifier: Classifier, tint: tuple[int, int, int], label: str, shape: tuple[int, int]
) -> None:
    answer = classifier.predict(np.asarray(draw(7, height=shape[0], width=shape[1], tint=tint)))
    assert answer.label == label
    assert list(answer.probabilities) == list(models.LABELS)


def test_pixels_get_the_answer_of_the_file_that_holds_them(classifier: Classifier) -> None:
    for seed in range(8):
        data = encoded(draw(seed, tint=GREY), "PNG")
        assert classifier.predict(pixels_of(data)) == classifier.predict(data)


def test_pixels_at_full_size_get_nearly_the_answer_of_their_large_jpeg(classifier: Classifier) -> None:
    for seed in range(8):
        data = photo(seed, GREY, width=800, height=600)
        of_file, of_pixels = classifier.predict(data), classifier.predict(pixels_of(data))
        assert of_pixels.probabilities == pytest.approx(of_file.probabilities, abs=0.02)
        assert of_pixels.label == of_file.label


def test_pixels_need_not_lie_in_one_piece_of_memory_and_stay_as_they_are(classifier: Classifier) -> None:
    blue_first = np.asarray(draw(8, tint=RED))[:, :, ::-1].copy()
    blue_first.flags.writeable = False
    before = blue_first.copy()
    assert classifier.predict(blue_first[:, :, ::-1]).label == "ash"
    assert classifier.predict(blue_first).label == "cedar"
    assert (blue_first == before).all()
    assert classifier.predict(before[::2, ::3]) == classifier.predict(before[::2, ::3].copy())


def test_files_and_pixels_may_come_together_and_an_array_of_photos_is_many(classifier: Classifier) -> None:
    mixed = classifier.predict_many([photo(1, RED), pixels_of(photo(2, BLUE)), encoded(draw(3, tint=GREEN), "GIF")])
    assert [answer.label for answer in mixed] == ["ash", "cedar", "beech"]
    stack = np.stack([pixels_of(photo(number, (RED, GREEN)[number % 2])) for number in range(4)])
    assert [answer.label for answer in classifier.predict_many(stack)] == ["ash", "beech"] * 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (np.zeros((40, 40, 3), np.float32), "float32 [40, 40, 3]"),
        (np.zeros((40, 40, 3), np.int64), "int64 [40, 40, 3]"),
        (np.zeros((40, 40, 4), np.uint8), "uint8 [40, 40, 4]"),
        (np.zeros((3, 40, 40), np.uint8), "uint8 [3, 40, 40]"),
        (np.zeros((40, 40), np.uint8), "uint8 [40, 40]"),
        (np.zeros((1, 40, 40, 3), np.uint8), "uint8 [1, 40, 40, 3]"),
        (np.zeros((15, 40, 3), np.uint8), "uint8 [15, 40, 3]"),
        (np.zeros((40, 0, 3), np.uint8), "uint8 [40, 0, 3]"),
        (np.array(b"photo"), "|S5 []"),
        ("photo.jpg", "str"),
        (Path("photo.jpg"), "PosixPath"),
        (draw(1), "Image"),
        (None, "NoneType"),
    ],
    ids=str,
)
def test_what_is_neither_a_file_nor_pixels_is_refused_in_one_sentence(
    classifier: Classifier, wrong: Any, named: str
) -> None:
    for ask in (classifier.predict, classifier.prepare, lambda photo: classifier.predict_many([photo])):
        with pytest.raises(DataError) as caught:
            ask(wrong)
        assert str(caught.value) == (
            "A photo is the bytes of its file, or a uint8 array [H, W, 3] of RGB values with sides of at least 16 "
            f"pixels, and not {named}."
        )


def test_an_embedding_comes_only_where_it_is_asked_for(classifier: Classifier) -> None:
    photos = [photo(number, (RED, GREEN, BLUE)[number % 3]) for number in range(70)]
    plain, rich = classifier.predict_many(photos), classifier.predict_many(photos, embedding=True)
    assert plain == rich
    assert {answer.embedding for answer in plain} == {classifier.predict(photos[0]).embedding} == {None}
    expected = np.stack([classifier.prepare(data) for data in photos]).mean((1, 2)) / 255
    for answer, row in zip(rich, expected, strict=True):
        assert answer.embedding is not None
        assert answer.embedding.shape == (3,)
        assert answer.embedding.dtype == np.float32
        assert answer.embedding == pytest.approx(row, abs=1e-5)
        assert answer.embedding.base is None, "it keeps the whole batch in memory"


def test_a_service_may_allow_fewer_pixels(model: Path) -> None:
    small = Classifier(model, max_pixels=96 * 72)
    assert small.predict(photo(1, RED)) == Classifier(model).predict(photo(1, RED))
    for data in (photo(1, RED, width=97), encoded(draw(1, width=97, tint=RED), "PNG")):
        with pytest.raises(ImageError) as caught:
            small.predict(data)
        assert caught.value.reason == "too-many-pixels"
        assert Classifier(model).predict(data).label == "ash"


def test_of_many_photos_a_few_at_a_time_are_in_memory(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    run = classifier.run

    def watched(pixels: Pixels) -> tuple[Any, Any]:
        asked.append(len(pixels))
        return run(pixels)

    monkeypatch.setattr(classifier, "run", watched)
    data = photo(1, GREEN)
    assert len(classifier.predict_many(data for _ in range(150))) == 150
    assert asked == [64, 64, 22]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_photos_of_every_format_are_classified(classifier: Classifier, kind: str) -> None:
    assert classifier.predict(encoded(draw(4, tint=GREEN), kind)).label == "beech"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"# notes\n" * 20, "not-an-image"),
        (jpeg(draw(5))[:-400], "damaged"),
        (encoded(draw(5), "PNG")[:-400], "damaged"),
        (jpeg(Image.new("RGB", (12, 40))), "too-small"),
        (jpeg(Image.new("RGB", (16, 400))), "extreme-shape"),
    ],
)
def test_a_photo_that_cannot_be_used_is_refused_with_the_reason(
    classifier: Classifier, data: bytes, reason: str
) -> None:
    for ask in (classifier.predict, lambda photo: classifier.predict_many([jpeg(draw(1)), photo])):
        with pytest.raises(ImageError) as caught:
            ask(data)
        assert caught.value.reason == reason
        assert str(caught.value).startswith(images.REASONS[reason])


def test_a_jpeg_decoded_at_a_smaller_scale_gets_nearly_the_answer_of_the_whole(classifier: Classifier) -> None:
    worst = 0.0
    for seed in range(12):
        data = photo(seed, GREY, width=800, height=600)
        scaled = images.decode(data, min_side=classifier.size)
        assert scaled.pixels.shape[0] < 600, "nothing was scaled"
        assert (scaled.width, scaled.height) == (800, 600)
        whole = images.prepare(images.decode(data).pixels, classifier.size)
        fast = classifier.prepare(data)
        assert np.abs(whole.astype(int) - fast.astype(int)).mean() < 1.5
        there, here = classifier.run(np.stack([whole, fast]))[0]
        worst = max(worst, float(np.abs(there - here).max()))
    assert worst < 0.02


def test_a_photo_that_lies_on_its_side_is_classified_upright(tmp_path: Path) -> None:
    path = models.save(tmp_path / "m.onnx", models.corner(), models.card(("bright", "dark")), labels=2, embedding=1)
    picture = Image.new("RGB", (64, 64))
    picture.paste((255, 255, 255), (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # the top left of what is stored belongs to the top right
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    classifier = Classifier(path)
    assert classifier.predict(jpeg(picture)).label == "bright"
    assert classifier.predict(buffer.getvalue()).label == "dark"


def test_a_missing_model_is_missed_with_the_remedy(tmp_path: Path) -> None:
    text = sentence(tmp_path / "nowhere" / "model.onnx")
    assert "is missing" in text
    assert "make run" in text


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert "is no file, and so no model" in sentence(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(bytes(1000)),
    ],
    ids=["empty", "a pointer", "cut short", "zeros"],
)
def test_a_damaged_model_is_refused(model: Path, damage: Damage) -> None:
    damage(model)
    assert "no ONNX model" in sentence(model)


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": None},
        {"metadata": models.card(), "names": ("pixels", "probabilities", "embedding")},
        {"metadata": models.card(), "names": ("image", "logits", "embedding")},
        {"metadata": models.card(), "names": ("image", "probabilities", "features")},
    ],
    ids=["no metadata", "another input", "no probabilities", "no embedding"],
)
def test_a_model_of_somebody_else_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    assert "was not packaged by petpark" in sentence(models.save(tmp_path / "m.onnx", **options))


@pytest.mark.parametrize(
    "metadata",
    [
        "no JSON",
        "[]",
        "3",
        "{}",
        json.dumps({"labels": ["ash"]}),
        models.card().dump().replace('"data"', '"dates"', 1),
        models.card().dump().replace("}", ', "from a later version": 1}'),
        models.card().dump().replace('["ash", "beech", "cedar"]', "null"),
        models.card().dump().replace('["ash", "beech", "cedar"]', '"ash"'),
        models.card(("ash", "beech", "ash")).dump(),
        models.card().dump().replace('"beech"', "null"),
        models.card().dump().replace('"beech"', '""'),
        models.card(("ash", "be\x1bch", "cedar")).dump(),
        models.card(threshold="x").dump(),
        models.card(threshold=float("nan")).dump(),
        models.card(threshold=1.5).dump(),
        models.card(threshold=True).dump(),
        models.card(architecture=3).dump(),
        "[" * 100_000,
    ],
)
def test_metadata_that_this_version_cannot_read_is_refused(tmp_path: Path, metadata: str) -> None:
    assert "does not read" in sentence(models.save(tmp_path / "m.onnx", metadata=metadata))


def test_a_model_that_wants_another_preprocessing_is_refused(tmp_path: Path) -> None:
    card = models.card(preprocessing="crop-lanczos/7")
    text = sentence(models.save(tmp_path / "m.onnx", metadata=card))
    assert "crop-lanczos/7" in text
    assert images.PREPROCESSING in text


@pytest.mark.parametrize(
    "card",
    [models.card(("ash", "beech")), models.card(image_size=32), models.card(image_size="16")],
    ids=["fewer labels", "another size", "a size that is no number"],
)
def test_metadata_that_does_not_fit_the_graph_is_refused(tmp_path: Path, card: ModelCard) -> None:
    assert "than its metadata says" in sentence(models.save(tmp_path / "m.onnx", metadata=card))


@pytest.mark.parametrize("last", ["Identity", "Sigmoid"])
def test_a_graph_that_answers_no_probabilities_is_refused(tmp_path: Path, last: str) -> None:
    nodes = [*models.colours()[:-1], onnx.helper.make_node(last, ["scores"], ["probabilities"])]
    assert "no probabilities" in sentence(models.save(tmp_path / "m.onnx", nodes, models.card()))


def test_embeddings_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    nodes = models.colours()
    nodes[5].output[0] = "mean"
    nodes[6].input[0] = "mean"
    nodes.append(onnx.helper.make_node("Div", ["mean", "zeros"], ["embedding"]))
    zeros = onnx.helper.make_node("Constant", [], ["zeros"], value_floats=[0.0])
    path = models.save(tmp_path / "m.onnx", [zeros, *nodes], models.card())
    assert "embeddings that are no numbers" in sentence(path)


def test_an_operator_that_does_not_exist_is_no_reason_for_a_traceback(tmp_path: Path) -> None:
    nodes = [*models.colours()[:-1], onnx.helper.make_node("Sofa", ["scores"], ["probabilities"])]
    assert "no ONNX model that can be run" in sentence(models.save(tmp_path / "m.onnx", nodes, models.card()))


def loaded(code: str) -> set[str]:
    """Names of the modules that a fresh Python has after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"], check=True, capture_output=True, text=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_classifying_needs_no_more_than_the_four_dependencies(model: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo(6, BLUE))
    ask = f"petpark.Classifier({str(model)!r}).predict(open({str(tmp_path / 'photo.jpg')!r}, 'rb').read())"
    code = f"import petpark\nassert {ask}.label == 'cedar'"
    modules = loaded(code)
    assert {"onnxruntime", "simplejpeg"} <= modules
    assert not modules & {"torch", "torchvision", "onnx", "pyarrow", "pydantic", "cv2", "scipy", "dvc", "deepchecks"}


def test_importing_petpark_imports_nothing_else() -> None:
    assert not loaded("import petpark") & {"numpy", "PIL", "onnxruntime", "simplejpeg"}
    assert petpark.Classifier is Classifier
    assert petpark.Prediction.__name__ == "Prediction"
    with pytest.raises(AttributeError, match="Clasifier"):
        _ = petpark.Clasifier
