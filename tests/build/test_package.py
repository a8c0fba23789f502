"""Package: which form ships and why, what its card says, and how far the forms agree."""

import pickle
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
import torch

from petpark import Classifier, files, golden, images, lake, layout, metrics, shards
from petpark.build import export, networks, package, pixels
from petpark.config.package import PackageSettings
from petpark.errors import DataError, ModelError
from petpark.evidence.package import Package, Variant
from tests.build import lakes
from tests.build.conftest import SEED, SETTINGS

SURE = PackageSettings().sure_accuracy
Figures = tuple[float, float]  # accuracy, milliseconds


def form(name: package.Name, figures: Figures) -> package._Form:
    accuracy, milliseconds = figures
    variant = Variant(name=name, bytes=1, milliseconds=milliseconds, accuracy=accuracy)
    return package._Form(name, Path(), cast("Classifier", None), np.empty((0, 3), np.float32), variant)


def choose(wanted: package.Wanted, fp32: Figures, int8: Figures | None, refusal: str = "") -> tuple[str, str]:
    forms: dict[package.Name, package._Form] = {"fp32": form("fp32", fp32)}
    if int8 is not None:
        forms["int8"] = form("int8", int8)
    chosen, why = package._choose(forms, wanted, 0.005, refusal)
    return chosen.name, why


# Which form ships


@pytest.mark.parametrize(
    ("fp32", "int8", "chosen", "why"),
    [
        ((0.95, 4.0), (0.95, 2.0), "int8", "int8 is 2.0 times as fast and loses 0.0% of accuracy"),
        ((0.95, 4.0), (0.947, 2.0), "int8", "int8 is 2.0 times as fast and loses 0.3% of accuracy"),
        ((0.95, 3.0), (0.97, 2.0), "int8", "int8 is 1.5 times as fast and loses 0.0% of accuracy"),
        ((0.95, 4.0), (0.94, 2.0), "fp32", "int8 would lose 1.0% of accuracy (0.5% are allowed)"),
        ((0.95, 4.0), (0.95, 4.0), "fp32", "int8 is no faster (1.00 times)"),
        ((0.95, 4.0), (0.97, 5.0), "fp32", "int8 is no faster (0.80 times)"),
    ],
)
def test_auto_takes_int8_where_it_loses_little_and_is_faster(
    fp32: Figures, int8: Figures, chosen: str, why: str
) -> None:
    assert choose("auto", fp32, int8) == (chosen, why)


def test_auto_takes_fp32_where_int8_cannot_be_made() -> None:
    assert choose("auto", (0.95, 4.0), None, "no int8 form can be made") == ("fp32", "no int8 form can be made")


@pytest.mark.parametrize("wanted", ["fp32", "int8"])
def test_what_is_demanded_ships_whatever_it_costs(wanted: package.Wanted) -> None:
    assert choose(wanted, (0.95, 1.0), (0.5, 2.0)) == (wanted, "as params.yaml asks")


def unquantised(monkeypatch: pytest.MonkeyPatch, packaged: Path) -> None:
    """An architecture of which int8 cannot be made; exporting is left out, since it takes seconds."""

    def copy(_model: object, _size: int, path: Path) -> None:
        path.write_bytes((packaged / layout.MODEL).read_bytes())

    def refuse(*_: object) -> None:
        raise ModelError("no int8 form can be made of this architecture (odd)")

    monkeypatch.setattr(export, "to_onnx", copy)
    monkeypatch.setattr(export, "to_int8", refuse)


def test_where_int8_cannot_be_made_auto_ships_fp32_and_says_why(
    trained_here: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unquantised(monkeypatch, packaged)
    package.package(PackageSettings(), 0.005, lakes.BATCHES, SEED)
    facts = Package.read(layout.PACKAGE)
    assert (facts.chosen, facts.why) == ("fp32", "no int8 form can be made of this architecture (odd)")
    assert facts.golden.int8_agreement is None
    assert facts.golden.fp32_int8 is None
    assert Classifier(layout.MODEL).card.variant == "fp32"


def test_where_int8_cannot_be_made_and_is_demanded_it_says_what_to_change(
    trained_here: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unquantised(monkeypatch, packaged)
    sentence = "package.variant: no int8 form can be made of this architecture (odd): set it to auto or fp32."
    with pytest.raises(ModelError, match=f"^{re.escape(sentence)}$"):
        package.package(PackageSettings(variant="int8"), 0.005, lakes.BATCHES, SEED)
    assert not layout.MODEL.exists()
    assert not layout.GOLDEN.exists()


def test_fp32_alone_is_made_where_it_is_demanded(
    trained_here: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unquantised(monkeypatch, packaged)
    package.package(PackageSettings(variant="fp32"), 0.005, lakes.BATCHES, SEED)
    facts = Package.read(layout.PACKAGE)
    assert [each.name for each in facts.variants] == ["fp32"]
    assert facts.why == "as params.yaml asks"


# What the file and the evidence say


def validation_answers() -> tuple[Any, Any]:
    """Truth [N] and the shipped file's answers [N, K] on the validation side."""
    photos = lake.side(lake.read_split(), "validation")
    answers, _ = Classifier(layout.MODEL).run(pixels.load(photos, SETTINGS.image_size, "validation"))
    return photos.targets(lakes.LABELS), answers


def test_the_card_says_what_the_file_is(packaged_here: Path) -> None:
    card = Classifier(layout.MODEL).card
    written = torch.load(layout.WEIGHTS, weights_only=True)
    facts = Package.read(layout.PACKAGE)
    assert asdict(card) == {
        "labels": lakes.LABELS,
        "image_size": SETTINGS.image_size,
        "threshold": facts.threshold,
        "architecture": "small",
        "variant": facts.chosen,
        "data": written["data"],
        "code": card.code,
        "preprocessing": images.PREPROCESSING,
    }
    assert re.fullmatch("[0-9a-f]{64}", card.code)
    assert card.code != written["code"]


def test_the_threshold_is_chosen_on_the_validation_side(packaged_here: Path) -> None:
    truth, answers = validation_answers()
    threshold = Classifier(layout.MODEL).card.threshold
    assert threshold == metrics.choose_threshold(truth, answers, SURE)
    sure = answers.max(1) >= threshold
    assert (answers.argmax(1) == truth)[sure].mean() >= SURE


def test_where_the_model_errs_some_answers_are_unsure(
    trained_here: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = lake.read_split().table
    places = np.flatnonzero(np.array(table.column("side").to_pylist()) == "validation")[:3]
    labels = table.column("label").to_pylist()
    for place in places.tolist():  # so that the model seems to err on these
        labels[place] = next(label for label in lakes.LABELS if label != labels[place])
    column = table.column_names.index("label")
    shards.write_table(table.set_column(column, "label", pa.array(labels, pa.string())), layout.SPLIT)
    unquantised(monkeypatch, packaged)
    package.package(PackageSettings(), 0.005, lakes.BATCHES, SEED)
    truth, answers = validation_answers()
    threshold = Classifier(layout.MODEL).card.threshold
    assert threshold == metrics.choose_threshold(truth, answers, SURE) > 0
    assert Package.read(layout.PACKAGE).threshold == threshold
    unsure = [answer.unsure for answer in Classifier(layout.MODEL).answers(answers)]
    assert unsure == (answers.max(1) < threshold).tolist()
    assert any(unsure)


def test_the_evidence_is_complete(packaged_here: Path) -> None:
    facts = Package.read(layout.PACKAGE)
    assert (facts.architecture, facts.image_size) == ("small", SETTINGS.image_size)
    network = networks.build("small", 3)
    assert facts.parameters == sum(weight.numel() for weight in network.parameters())
    assert [each.name for each in facts.variants] == ["fp32", "int8"]
    assert all(each.milliseconds > 0 for each in facts.variants)
    shipped = facts.variant(facts.chosen)
    assert shipped is not None
    assert abs(shipped.bytes - layout.MODEL.stat().st_size) < 100  # the threshold's digits
    truth, answers = validation_answers()
    assert shipped.accuracy == pytest.approx((answers.argmax(1) == truth).mean())
    expected = package._choose({each.name: _again(each) for each in facts.variants}, "auto", 0.005)
    assert (facts.chosen, facts.why) == (expected[0].name, expected[1])


def _again(variant: Variant) -> package._Form:
    return form(variant.name, (variant.accuracy, variant.milliseconds))


def test_the_forms_agree_on_golden_rows(packaged_here: Path) -> None:
    found = Package.read(layout.PACKAGE).golden
    assert found.photos == len(golden.read().ids) == 48
    assert 0 < found.torch_fp32 < 1e-4
    assert found.fp32_int8 is not None
    assert found.int8_agreement is not None
    assert 0 < found.fp32_int8 < 0.5
    assert found.int8_agreement > 0.9


# Golden rows


def test_golden_rows_are_originals_of_every_label_and_batch(packaged_here: Path) -> None:
    rows = golden.read()
    tables = [shards.read_table(layout.originals(batch), shards.ORIGINALS) for batch in lakes.BATCHES]
    known = {row["id"]: (row["label"], row["image"]) for table in tables for row in table.to_pylist()}
    assert {photo_id: known[photo_id][1] for photo_id in rows.ids} == dict(zip(rows.ids, rows.photos, strict=True))
    assert sorted(known[photo_id][0] for photo_id in rows.ids) == sorted(lakes.LABELS * 16)
    assert images.decode(rows.photos[0]).pixels.shape == (48, 64, 3)


def test_the_classifier_gives_the_golden_answers_bit_for_bit(packaged_here: Path) -> None:
    rows = golden.read()
    classifier = Classifier(layout.MODEL)
    answers = classifier.predict_many(rows.photos)
    assert [list(answer.probabilities.values()) for answer in answers] == rows.probabilities.tolist()
    assert [answer.label for answer in answers] == [lakes.LABELS[i] for i in rows.probabilities.argmax(1)]


def test_pixels_at_full_size_give_the_golden_answers_within_the_tolerance(packaged_here: Path) -> None:
    rows = golden.read()
    answers = Classifier(layout.MODEL).predict_many(images.decode(photo).pixels for photo in rows.photos)
    assert np.abs(np.array([list(each.probabilities.values()) for each in answers]) - rows.probabilities).max() < 0.02


@pytest.mark.parametrize("threads", [1, 2])
def test_one_photo_at_a_time_gives_the_golden_answers_within_rounding(packaged_here: Path, threads: int) -> None:
    rows = golden.read()
    classifier = Classifier(layout.MODEL, threads=threads)
    answers = np.array([list(classifier.predict(photo).probabilities.values()) for photo in rows.photos])
    assert np.abs(answers - rows.probabilities).max() < 1e-5


def test_the_shift_between_originals_and_stored_photos_is_what_the_classifier_shows(packaged_here: Path) -> None:
    rows, photos, classifier = golden.read(), lake.read_split(), Classifier(layout.MODEL)
    stored = {photo_id: jpeg for (row, jpeg) in photos.stored() for photo_id in [photos.ids[row]]}
    again = np.array([list(classifier.predict(stored[each]).probabilities.values()) for each in rows.ids])
    shift = np.abs(again - rows.probabilities).max(1)
    found = Package.read(layout.PACKAGE).golden
    assert images.decode(stored[rows.ids[0]]).pixels.shape == (40, 53, 3)  # smaller than the original
    assert found.ingest_shift == pytest.approx(shift.mean(), abs=1e-5)
    assert found.ingest_shift_max == pytest.approx(shift.max(), abs=1e-5)
    assert 0 < found.ingest_shift < 0.1
    assert found.ingest_shift <= found.ingest_shift_max <= 1
    assert found.ingest_agreement == pytest.approx((again.argmax(1) == rows.probabilities.argmax(1)).mean())


def originals(batch: str, labels: dict[str, int]) -> None:
    """Write originals of a batch: so many of each label, with ids in descending order."""
    names = [(f"{number:03d}{label}", label, b"x") for label, count in labels.items() for number in range(count)]
    columns = list(zip(*reversed(names), strict=True)) or [(), (), ()]
    layout.originals(batch).parent.mkdir(parents=True, exist_ok=True)
    shards.write_table(pa.table([list(column) for column in columns], schema=shards.ORIGINALS), layout.originals(batch))


def test_golden_rows_are_about_64_and_shared_evenly_among_labels(workspace: Path) -> None:
    originals("one", {"a": 90, "b": 90})
    originals("two", {"c": 90, "d": 5})
    chosen = list(package._originals(["one", "two"]))
    assert len(chosen) == 16 * 3 + 5
    assert sorted(each for each in chosen if each.endswith("a")) == [f"{number:03d}a" for number in range(16)]


def test_every_label_has_a_golden_row_however_many_there_are(workspace: Path) -> None:
    originals("one", {f"label{number}": 2 for number in range(100)})
    assert len(package._originals(["one"])) == 100


def test_golden_rows_of_large_photos_are_fewer_and_still_one_of_each_label(workspace: Path) -> None:
    names = [(f"{number:03d}{label}", label, bytes(2_000_000)) for label in "abc" for number in range(20)]
    names.append(("000d", "d", bytes(5_000_000)))
    layout.originals("one").parent.mkdir(parents=True, exist_ok=True)
    columns = [list(column) for column in zip(*names, strict=True)]
    shards.write_table(pa.table(columns, schema=shards.ORIGINALS), layout.originals("one"))
    chosen = list(package._originals(["one"]))
    assert sorted(chosen) == sorted([f"{number:03d}{label}" for label in "abc" for number in range(2)] + ["000d"])


def test_a_photo_in_two_batches_is_one_golden_row(workspace: Path) -> None:
    originals("one", {"a": 3})
    originals("two", {"a": 3})
    assert len(package._originals(["one", "two"])) == 3


# What it cannot do


def run() -> None:
    package.package(PackageSettings(), 0.005, lakes.BATCHES, SEED)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("open('sprung', 'w')",)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def replace_by_state(path: Path) -> None:
    torch.save(networks.build("small", 3).state_dict(), path)


def forget_settings(path: Path) -> None:
    written = torch.load(path, weights_only=True)
    torch.save({name: value for name, value in written.items() if name != "settings"}, path)


def replace_state(path: Path) -> None:
    written = torch.load(path, weights_only=True)
    torch.save({**written, "state": networks.build("small", 7).state_dict()}, path)


def trap(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap()))


@pytest.mark.parametrize("damage", [cut, replace_by_state, forget_settings, replace_state, trap, Path.touch])
def test_weights_that_training_did_not_write_are_one_sentence(trained_here: Path, damage: Any) -> None:
    if damage is Path.touch:
        files.remove(layout.WEIGHTS)
    damage(layout.WEIGHTS)
    sentence = r"models/model\.pt is not what `petpark train` writes \(.+\): run `dvc repro -f train`\."
    with pytest.raises(ModelError, match=f"^{sentence}$"):
        run()
    assert not Path("sprung").exists()
    assert not layout.MODEL.exists()


def test_missing_weights_are_one_sentence(lake_here: Path) -> None:
    with pytest.raises(ModelError, match=r"^models/model\.pt is missing: fetch it"):
        run()


def test_weights_of_other_labels_are_one_sentence(trained_here: Path) -> None:
    table = lake.read_split().table
    labels = [label.replace("cedar", "yew") for label in table.column("label").to_pylist()]
    table = table.set_column(table.column_names.index("label"), "label", pa.array(labels, pa.string()))
    shards.write_table(table, layout.SPLIT)
    with pytest.raises(ModelError) as caught:
        run()
    assert str(caught.value) == (
        "models/model.pt knows the labels ash, beech, cedar, and the lake holds ash, beech, yew: run `dvc repro train`."
    )


def test_no_originals_are_one_sentence(trained_here: Path) -> None:
    for batch in lakes.BATCHES:
        originals(batch, {})
    with pytest.raises(DataError, match=r"^No batch holds an original for the golden rows: add photos of at most 2 MB"):
        run()
    assert not layout.MODEL.exists()


def test_missing_originals_are_one_sentence(trained_here: Path) -> None:
    layout.originals("second").unlink()
    with pytest.raises(DataError, match=r"^lake/second/originals\.parquet is missing: "):
        run()
