"""What is in the data is counted, leaks are found, and the sides are compared by the real deepchecks."""

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from petpark import files, gate, lake, layout, shards
from petpark.build import validate as module
from petpark.build.ingest import ingest
from petpark.build.split import split
from petpark.build.validate import validate
from petpark.config.ingest import Batch, IngestSettings, Role
from petpark.config.policy import Policy
from petpark.config.split import SplitSettings
from petpark.config.validate import ValidateSettings
from petpark.evidence.build import BuildEvidence
from petpark.evidence.validation import BatchCount, Check, Validation
from petpark.images import Pixels
from tests.build import lakes
from tests.conftest import draw, jpeg, pack
from tests.test_gate import HEALTHY

SPLIT = SplitSettings(test_share=0.36, validation_share=0.1)
SETTINGS = ValidateSettings()
PAGE = layout.REPORTS / "validation.html"
Row = dict[str, object]


def photo(seed: int, label: str, light: float = 1.0, quality: int = 90) -> bytes:
    """A photo of its own for each seed and label: with one seed for all labels they would look alike."""
    picture = draw(1000 * lakes.LABELS.index(label) + seed, width=48, height=36, tint=lakes.TINTS[label])
    return jpeg(picture.point(lambda value: int(value * light)), quality)


def grow(root: Path, batches: Mapping[str, Mapping[str, bytes]], **roles: Role) -> IngestSettings:
    """Fill a folder with batches, and the lake that is made of them; `settings` of it come back."""
    known = {}
    with contextlib.chdir(root):
        for name, members in batches.items():
            path = pack(layout.archive(name), members)
            known[name] = Batch(sha256=files.sha256(path), role=roles.get(name, "train"))
        settings = IngestSettings(short_side=32, batches=known)
        for name, batch in known.items():
            ingest(name, batch.sha256, settings, workers=1)
        split(settings, SPLIT)
    return settings


def few() -> dict[str, dict[str, bytes]]:
    """A batch to train on, with everything that can happen to a photo, and one of acceptance."""
    one = {f"{label}/{seed}.jpg": photo(seed, label) for seed in range(20) for label in lakes.LABELS}
    ash = one["ash/0.jpg"]
    one |= {"ash/0 again.jpg": ash, "ash/0 once more.jpg": ash, "beech/1 again.jpg": one["beech/1.jpg"]}
    one |= {"ash/both.jpg": photo(100, "ash"), "cedar/both.jpg": photo(100, "ash")}
    one |= {f"cedar/{quality}.jpg": photo(101, "cedar", quality=quality) for quality in (80, 90)}
    one |= {"ash/cut.jpg": ash[:-300], "ash/cut2.jpg": one["ash/1.jpg"][:-300], "beech/notes.jpg": b"no photo"}
    park = {f"{label}/{seed}.jpg": photo(seed, label) for seed in range(200, 203) for label in lakes.LABELS}
    return {"one": one, "park": park | {"ash/empty.jpg": b"", "cedar/5 again.jpg": photo(5, "cedar", quality=70)}}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IngestSettings]:
    """A lake too small for deepchecks; to be left as it is."""
    root = tmp_path_factory.mktemp("small")
    one = few()["one"]
    with contextlib.chdir(root):
        lines = [f"{id_of(one['ash/2.jpg'])},excluded", f"{id_of(one['ash/3.jpg'])},beech"]
        layout.CORRECTIONS.write_text("\n".join(["id,label", *lines]) + "\n")
    return root, grow(root, few(), park="acceptance")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IngestSettings]:
    """A lake of 720 photos, half of them dark, large enough for deepchecks; to be left as it is."""
    members = {
        f"{label}/{seed}.jpg": photo(seed, label, light=0.4 if seed % 2 else 1.0)
        for seed in range(240)
        for label in lakes.LABELS
    }
    root = tmp_path_factory.mktemp("large")
    return root, grow(root, {"one": members})


@pytest.fixture
def ingested(small: tuple[Path, IngestSettings], workspace: Path) -> IngestSettings:
    """The settings of the small lake, a copy of which is the current folder."""
    lakes.copy(small[0], workspace)
    return small[1]


@pytest.fixture
def many(large: tuple[Path, IngestSettings], workspace: Path) -> IngestSettings:
    """The settings of the large lake, a copy of which is the current folder."""
    lakes.copy(large[0], workspace)
    return large[1]


@pytest.fixture(scope="module")
def compared(large: tuple[Path, IngestSettings]) -> Path:
    """The folder of the large lake after `validate`; to be left as it is."""
    with contextlib.chdir(large[0]):
        validate(large[1], SPLIT, SETTINGS)
    return large[0]


def id_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def found(settings: IngestSettings, chosen: ValidateSettings = SETTINGS) -> Validation:
    """Validate here, and read what was found."""
    validate(settings, SPLIT, chosen)
    return Validation.read(layout.VALIDATION)


def tamper(change: Callable[[list[Row]], list[Row] | None]) -> None:
    """Change the rows of split.parquet."""
    rows: list[Row] = lake.read_split().table.to_pylist()
    shards.write_table(pa.Table.from_pylist(change(rows) or rows, schema=lake.SPLIT), layout.SPLIT)


def seat(rows: list[Row], side: Callable[[Row], str | None]) -> None:
    """Give each row a side."""
    for row in rows:
        row["side"] = side(row)


def check(result: Validation, name: str) -> Check:
    return next(each for each in result.checks if each.name == name)


def objections(result: Validation, rule: gate.Rule[BuildEvidence, Policy]) -> list[str]:
    return list(rule(HEALTHY.model_copy(update={"validation": result}), Policy()))


def test_everything_that_happened_to_photos_is_counted(
    ingested: IngestSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    result = found(ingested)
    assert (result.duplicates, result.conflicts, result.excluded, result.corrected) == (3, 2, 1, 1)
    assert result.batches == (
        BatchCount(batch="one", role="train", photos=70, quarantined=3, reasons={"damaged": 2, "not-an-image": 1}),
        BatchCount(batch="park", role="acceptance", photos=11, quarantined=1, reasons={"empty": 1}),
    )
    assert capsys.readouterr().out == ("67 photos: 3 duplicates, 2 conflicting, 1 excluded, 4 quarantined, 0 leaked\n")


def test_each_label_is_counted_on_each_side_after_corrections(ingested: IngestSettings) -> None:
    result = found(ingested)
    assert [each.label for each in result.classes] == list(lakes.LABELS)
    sums = {each.label: each.train + each.validation + each.test for each in result.classes}
    assert sums == {"ash": 18, "beech": 21, "cedar": 22}  # one ash excluded, one a beech
    for side in lake.SIDES:
        photos = lake.side(lake.read_split(), side)
        assert sum(getattr(each, side) for each in result.classes) == len(photos)


def test_what_split_made_leaks_nothing(ingested: IngestSettings) -> None:
    result = found(ingested)
    assert result.leaked == 0
    assert objections(result, gate.no_leakage) == []


@pytest.mark.parametrize("learned", ["train", "validation"])
def test_a_near_duplicate_on_both_sides_is_a_leak_and_the_gate_says_no(ingested: IngestSettings, learned: str) -> None:
    one, two = (id_of(few()["one"][f"cedar/{quality}.jpg"]) for quality in (80, 90))
    assert one != two
    sides = {one: learned, two: "test"}
    tamper(lambda rows: seat(rows, lambda row: sides.get(str(row["id"]), str(row["side"]))))
    result = found(ingested)
    assert result.leaked == 1
    assert "1 photos to learn from look like photos to judge on" in objections(result, gate.no_leakage)[0]


def test_a_group_number_that_lies_hides_no_leak(ingested: IngestSettings) -> None:
    pair = [id_of(few()["one"][f"cedar/{quality}.jpg"]) for quality in (80, 90)]

    def part(rows: list[Row]) -> None:
        for row in rows:
            if row["id"] in pair:
                place = pair.index(str(row["id"]))
                row["side"], row["group"] = ("train", "test")[place], 10_000 + place

    tamper(part)
    assert found(ingested).leaked == 1


def test_a_photo_that_looks_like_one_of_acceptance_is_a_leak(ingested: IngestSettings) -> None:
    twin = id_of(few()["one"]["cedar/5.jpg"])
    sides = dict(zip(lake.read_split().ids, lake.read_split().column("side").tolist(), strict=True))
    assert sides[twin] == "test", "split keeps it from training"
    tamper(lambda rows: seat(rows, lambda row: "train" if row["id"] == twin else str(row["side"])))
    assert found(ingested).leaked == 1


@pytest.mark.parametrize("order", [("train", "test"), ("test", "train")])
def test_the_same_photo_on_two_sides_is_a_leak(ingested: IngestSettings, order: tuple[str, str]) -> None:
    twice = id_of(few()["one"]["ash/7.jpg"])

    def double(rows: list[Row]) -> list[Row]:
        (row,) = (row for row in rows if row["id"] == twice)
        return [*(each for each in rows if each is not row), *(row | {"side": side} for side in order)]

    tamper(double)
    assert found(ingested).leaked == 1


def test_with_few_photos_the_sides_are_not_compared(ingested: IngestSettings) -> None:
    result = found(ingested)
    assert result.drift == {}
    assert [(each.name, each.status) for each in result.checks] == [("deepchecks", "SKIPPED")]
    assert "fewer than 200 photos on a side" in PAGE.read_text()
    assert objections(result, gate.checks) == []
    before = layout.VALIDATION.read_bytes(), PAGE.read_bytes()
    assert found(ingested) == result
    assert (layout.VALIDATION.read_bytes(), PAGE.read_bytes()) == before


def test_with_few_photos_deepchecks_is_not_even_imported(small: tuple[Path, IngestSettings], workspace: Path) -> None:
    lakes.copy(small[0], workspace)
    code = f"""
import sys
from petpark.build.validate import validate
from petpark.config.ingest import IngestSettings
from petpark.config.split import SplitSettings
from petpark.config.validate import ValidateSettings
from petpark.evidence.build import BuildEvidence
from petpark.evidence.validation import BatchCount, Check, Validation
validate(IngestSettings.model_validate_json({small[1].model_dump_json()!r}), SplitSettings(), ValidateSettings())
print({{'deepchecks', 'torch'}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_sides_that_are_alike_have_little_drift(compared: Path) -> None:
    result = Validation.read(compared / layout.VALIDATION)
    assert {"label", "photos as a whole", "brightness", "rms contrast", "aspect ratio"} < result.drift.keys()
    assert all(0 <= score < 0.2 for score in result.drift.values()), result.drift
    assert {each.name for each in result.checks} == {
        "NewLabels",
        "LabelDrift",
        "ImagePropertyDrift",
        "ImageDatasetDrift",
        "PropertyLabelCorrelationChange",
        "Outliers",
    }
    assert {each.status for each in result.checks} <= {"PASS", "WARN", "NO CONDITION"}
    assert objections(result, gate.drift) == objections(result, gate.checks) == []


def test_two_processes_write_the_same_bytes(compared: Path, many: IngestSettings) -> None:
    sections = "".join(f"{name}: {{}}\n" for name in ("train", "package", "evaluate", "validate"))
    batches = {name: batch.model_dump() for name, batch in many.batches.items()}
    layout.PARAMS.write_text(
        f"ingest: {{short_side: 32, batches: {batches}}}\nsplit: {{near_duplicate_distance: 4}}\n{sections}"
    )
    elsewhere = {"PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "3", "TZ": "Asia/Kathmandu"}
    subprocess.run(["petpark", "validate"], check=True, capture_output=True, env={**os.environ, **elsewhere})
    for path in (layout.VALIDATION, PAGE):
        assert path.read_bytes() == (compared / path).read_bytes(), path
    assert sorted(path.name for path in layout.REPORTS.iterdir()) == ["validation.html", "validation.json"]


def test_labels_stand_in_the_same_order_in_the_sets_of_every_process() -> None:
    from petpark.build import suite

    for label in (*lakes.LABELS, "Bär"):
        assert suite._Name(label) == label
        assert hash(suite._Name(label)) == zlib.crc32(label.encode())


def test_the_page_needs_no_network(compared: Path) -> None:
    page = (compared / PAGE).read_text(encoding="utf-8")
    assert "Image Property Drift" in page
    assert re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(?!data:)[^>]*>", page) == []
    assert re.findall(r"<link[^>]*>|@import", page) == []
    assert "Training side against test side." in page
    assert len(page) < 20_000_000


def test_a_darker_test_side_has_a_high_drift_and_the_gate_says_no(many: IngestSettings) -> None:
    tamper(lambda rows: seat(rows, lambda row: "test" if float(str(row["brightness"])) < 0.3 else "train"))
    result = found(many)
    assert result.drift["brightness"] > 0.9
    assert result.drift["photos as a whole"] > 0.9
    assert result.drift["label"] < 0.05
    assert any("differ in 'brightness': drift" in reason for reason in objections(result, gate.drift))


def test_a_label_that_the_test_side_lacks_is_drift_and_no_crash(many: IngestSettings) -> None:
    def side(row: Row) -> str:
        return "test" if row["label"] != "cedar" and str(row["id"]) < "8" else "train"

    tamper(lambda rows: seat(rows, side))
    result = found(many)
    assert next(each for each in result.classes if each.label == "cedar").test == 0
    assert result.drift["label"] > 0.3
    assert check(result, "NewLabels").status == "PASS"


def test_a_label_that_only_the_test_side_has_fails_and_the_gate_says_no(many: IngestSettings) -> None:
    tamper(lambda rows: seat(rows, lambda row: "test" if row["label"] == "cedar" else "train"))
    result = found(many)
    assert check(result, "NewLabels").status == "FAIL"
    assert any("the check NewLabels ended with FAIL" in reason for reason in objections(result, gate.checks))


def test_only_so_many_photos_are_compared_and_the_brightest_leads(many: IngestSettings) -> None:
    photos = lake.side(lake.read_split(), "train")
    drawn = module._drawn(photos, 50)
    light = drawn.column("brightness").tolist()
    assert sorted(drawn.ids) == sorted(photos.ids)[:50]
    assert light[0] == max(light)
    assert drawn.ids[1:] == sorted(drawn.ids[1:])
    assert len(module._drawn(photos.take(np.array([], np.int64)), 50)) == 0


def test_where_every_photo_is_black_the_check_is_an_error_and_no_crash(
    many: IngestSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_pictures", lambda _, photos: [np.zeros((32, 43, 3), np.uint8)] * len(photos))
    result = found(many)
    assert (result.drift, len(result.checks)) == ({}, 1)
    assert check(result, "deepchecks").status == "ERROR"
    assert "deepchecks refuses the photos" in PAGE.read_text()
    assert "the check deepchecks ended with ERROR" in objections(result, gate.checks)[0]


def grey(picture: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))


def plain(picture: Pixels) -> Pixels:
    return np.full_like(picture, 200)


def black_but(first: int) -> Callable[[int, Pixels], Pixels]:
    return lambda number, picture: picture if number < first else np.zeros_like(picture)


@pytest.mark.parametrize(
    "change",
    [
        lambda _, picture: grey(picture),
        lambda number, picture: grey(picture) if number % 2 else picture,
        black_but(1),
        black_but(100),
        lambda _, picture: plain(picture),
        lambda number, picture: picture[: 8 + number % 9],
    ],
    ids=["grey", "half grey", "all but one black", "half black", "one colour", "odd sizes"],
)
def test_odd_photos_are_compared_without_a_crash(change: Callable[[int, Pixels], Pixels], tmp_path: Path) -> None:
    from petpark.build import suite

    def sample(name: str, first: int, count: int) -> suite.SideSample:
        numbers = range(first, first + count)
        tints = list(lakes.TINTS.values())
        drawn = [np.asarray(draw(number, width=24, height=18, tint=tints[number % 3])) for number in numbers]
        pictures = [change(place, picture) for place, picture in enumerate(drawn)]
        return suite.SideSample(name, pictures, [number % 3 for number in numbers], [str(number) for number in numbers])

    page = tmp_path / "page.html"
    result = suite.compare(sample("train", 0, 210), sample("test", 1000, 200), lakes.LABELS, page)
    assert page.exists()
    assert len(result.checks) == 6
    assert all(0 <= score <= 1 for score in result.drift.values())
    assert [each.name for each in result.checks if each.status == "ERROR"] == []


def test_outliers_are_the_photos_that_stick_out() -> None:
    from petpark.build import suite

    odd = {"7", "70", "143", "199"}  # in batches 1, 2, 3 and 4
    pictures = [np.full((12, 12, 3), 250 if str(number) in odd else 90 + number % 9, np.uint8) for number in range(200)]
    sample = suite.SideSample("train", pictures, [0, 1] * 100, [str(number) for number in range(200)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = suite._suite(200).run(suite._vision_data(sample, ("a", "b")), run_single_dataset="Train")
    (outliers,) = (each.value for each in result.results if isinstance(each.check, suite._Outliers))
    assert set(outliers["Brightness"]["outliers_identifiers"]) == odd
