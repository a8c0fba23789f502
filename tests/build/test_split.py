"""Which photo is on which side."""

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from petpark import files, lake, layout, shards
from petpark.build.ingest import ingest
from petpark.build.split import split
from petpark.config.ingest import Batch, IngestSettings, Role
from petpark.config.split import SplitSettings
from petpark.errors import DataError
from tests.conftest import draw, jpeg, pack

NO_HASH = "0" * 64
DEFAULT = SplitSettings()


@dataclass(frozen=True)
class Shot:
    """A photo as a manifest knows it: a word to make the id of, its label, and what it looks like."""

    word: str
    label: str
    look: int | None = None
    reason: str | None = None

    @property
    def id(self) -> str:
        return hashlib.sha256(self.word.encode()).hexdigest()

    @property
    def phash(self) -> int:
        own = hashlib.sha256(f"look of {self.word}".encode()).digest()
        return self.look if self.look is not None else int.from_bytes(own[:8], "big")


def lay(batch: str, shots: Sequence[Shot]) -> None:
    """Write the manifest of a batch."""
    columns: dict[str, list[object]] = {name: [None] * len(shots) for name in shards.MANIFEST.names}
    columns["id"] = [shot.id for shot in shots]
    columns["label"] = [shot.label for shot in shots]
    columns["name"] = [f"{shot.label}/{shot.word}.jpg" for shot in shots]
    columns["reason"] = [shot.reason for shot in shots]
    columns["phash"] = [None if shot.reason else shot.phash for shot in shots]
    columns["row"] = list(range(len(shots)))
    columns["part"] = [0] * len(shots)
    columns["width"] = [640] * len(shots)
    layout.manifest(batch).parent.mkdir(parents=True, exist_ok=True)
    shards.write_table(pa.table(columns, schema=shards.MANIFEST), layout.manifest(batch))


def batches(*names: str, **roles: Role) -> IngestSettings:
    listed = {name: Batch(sha256=NO_HASH, role=roles.get(name, "train")) for name in (*names, *roles)}
    return IngestSettings(short_side=64, batches=listed)


def correct(*lines: tuple[str, str]) -> None:
    with layout.CORRECTIONS.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *lines])


def crowd(count: int, labels: Sequence[str] = ("fox", "owl", "hare"), word: str = "photo") -> list[Shot]:
    """Photos that have nothing to do with each other."""
    return [Shot(f"{word} {number}", labels[number % len(labels)]) for number in range(count)]


def run(*shots: Shot, settings: SplitSettings = DEFAULT) -> list[dict[str, object]]:
    """Split one batch, and return a row for each of the shots given, in their order, without the crowd behind."""
    lay("one", [*shots, *crowd(200)])
    split(batches("one"), settings)
    rows: list[dict[str, object]] = lake.read_split().table.to_pylist()
    return rows[: len(shots)]


def sides(photos: lake.Photos) -> dict[str, str]:
    return {row["id"]: row["side"] for row in photos.table.to_pylist() if row["side"]}


def words_on(side: str, count: int, settings: SplitSettings = DEFAULT) -> list[str]:
    """Words whose photos go to that side on their own."""
    shots = [Shot(f"candidate {number}", "fox") for number in range(200)]
    lay("candidates", [*shots, *crowd(200)])
    split(batches("candidates"), settings)
    found = sides(lake.read_split())
    return [shot.word for shot in shots if found[shot.id] == side][:count]


@pytest.fixture(autouse=True)
def _here(workspace: Path) -> None:
    """Every test starts in an empty folder."""


@pytest.mark.parametrize(("test", "validation"), [(0.2, 0.1), (0.05, 0.5), (0.7, 0.3)])
def test_the_sides_have_the_shares_that_were_asked_for(test: float, validation: float) -> None:
    lay("one", crowd(4000, labels=[f"class {number}" for number in range(7)]))
    split(batches("one"), SplitSettings(test_share=test, validation_share=validation))
    photos = lake.read_split()
    share = {side: len(lake.side(photos, side)) / 4000 for side in lake.SIDES}
    rest = 1 - test
    assert share["test"] == pytest.approx(test, abs=0.03)
    assert share["validation"] == pytest.approx(rest * validation, abs=0.03)
    assert share["train"] == pytest.approx(rest * (1 - validation), abs=0.03)
    assert lake.labels(photos) == tuple(f"class {number}" for number in range(7))


def test_the_same_manifests_give_the_same_bytes() -> None:
    lay("one", crowd(300))
    lay("two", crowd(300, word="other"))
    digests = set()
    for _ in range(2):
        split(batches("one", "two"), DEFAULT)
        digests.add(files.sha256(layout.SPLIT))
    assert len(digests) == 1


def test_a_side_hangs_on_no_other_photo_and_on_no_order() -> None:
    lay("one", crowd(300))
    split(batches("one"), DEFAULT)
    before = sides(lake.read_split())
    lay("one", crowd(200)[::-1])
    split(batches("one"), DEFAULT)
    after = sides(lake.read_split())
    assert after == {each: before[each] for each in after}


def test_rows_carry_what_the_manifests_know() -> None:
    lay("one", [Shot("bad", "fox", reason="damaged"), *crowd(200)])
    split(batches("one"), DEFAULT)
    table = lake.read_split().table
    assert table.schema.equals(lake.SPLIT)
    assert table.num_rows == 200  # photos in quarantine are left out
    assert table.column("row").to_pylist() == list(range(1, 201))
    assert set(table.column("batch").to_pylist()) == {"one"}
    assert set(table.column("width").to_pylist()) == {640}
    assert table.column("group").to_pylist() == list(range(200))


def test_of_a_photo_that_comes_twice_the_first_one_stays() -> None:
    lay("one", [Shot("twin", "fox"), *crowd(200)])
    lay("two", [*crowd(5, word="new"), Shot("twin", "fox"), Shot("twin", "fox")])
    split(batches("two", "one"), DEFAULT)
    rows = [row for row in lake.read_split().table.to_pylist() if row["id"] == Shot("twin", "fox").id]
    assert [(row["batch"], row["row"], row["dropped"]) for row in rows] == [
        ("two", 5, None),
        ("two", 6, "duplicate"),
        ("one", 0, "duplicate"),
    ]
    assert [row["side"] is None for row in rows] == [False, True, True]


def test_a_photo_under_two_labels_is_dropped_everywhere() -> None:
    first, second, third = run(Shot("doubt", "fox"), Shot("doubt", "owl"), Shot("doubt", "fox"))
    assert [row["dropped"] for row in (first, second, third)] == ["conflict"] * 3
    assert [row["side"] for row in (first, second, third)] == [None] * 3
    assert [row["label"] for row in (first, second, third)] == ["fox", "owl", "fox"]


def test_a_correction_settles_a_conflict() -> None:
    correct((Shot("doubt", "").id, "owl"))
    first, second = run(Shot("doubt", "fox"), Shot("doubt", "owl"))
    assert (first["label"], first["dropped"], first["corrected"]) == ("owl", None, True)
    assert (second["label"], second["dropped"], second["corrected"]) == ("owl", "duplicate", False)


def test_a_correction_gives_a_photo_another_label_and_the_same_side() -> None:
    (before,) = run(Shot("mistaken", "fox"))
    correct((Shot("mistaken", "").id, "hare"))
    (after,) = run(Shot("mistaken", "fox"))
    assert (before["label"], before["corrected"]) == ("fox", False)
    assert (after["label"], after["corrected"]) == ("hare", True)
    assert after["side"] == before["side"]


@pytest.mark.parametrize("word", ["excluded", "Excluded"])
def test_an_excluded_photo_is_dropped_however_often_it_came(word: str) -> None:
    correct((Shot("blurred", "").id, word))
    rows = run(Shot("blurred", "fox"), Shot("blurred", "fox"), Shot("blurred", "owl"))
    assert [(row["dropped"], row["side"], row["corrected"]) for row in rows] == [("excluded", None, False)] * 3


def test_photos_that_look_alike_share_a_group_and_a_side() -> None:
    series = [Shot(f"frame {number}", "fox", look=(1 << number) - 1) for number in range(40)]
    rows = run(*series)
    assert {row["group"] for row in rows} == {0}
    assert {row["side"] for row in rows} == {"test"}  # 40 frames: some of them drew it
    apart = run(*series[::6], settings=SplitSettings(near_duplicate_distance=5))
    assert [row["group"] for row in apart] == list(range(7))


def test_a_group_without_a_test_photo_goes_to_validation_if_any_does() -> None:
    train, validation = words_on("train", 3), words_on("validation", 1)
    rows = run(*[Shot(word, "fox", look=99) for word in (*train, *validation)])
    assert {row["side"] for row in rows} == {"validation"}
    rows = run(*[Shot(word, "fox", look=99) for word in train])
    assert {row["side"] for row in rows} == {"train"}


@pytest.mark.parametrize("fate", ["excluded", "conflict"])
def test_a_dropped_test_photo_keeps_its_group_in_test(fate: str) -> None:
    test, train = words_on("test", 1)[0], words_on("train", 2)
    dropped = [Shot(test, "fox", look=5), *([Shot(test, "owl", look=5)] if fate == "conflict" else [])]
    if fate == "excluded":
        correct((dropped[0].id, "excluded"))
    rows = run(*[Shot(word, "fox", look=4) for word in train], *dropped)
    assert [row["side"] for row in rows] == ["test", "test", *[None] * len(dropped)]
    assert {row["dropped"] for row in rows[2:]} == {fate}


def test_what_looks_like_an_acceptance_photo_goes_to_test_and_acceptance_photos_stay_out() -> None:
    train = words_on("train", 3)
    lay("one", [Shot(train[0], "fox", look=7), Shot(train[1], "fox"), Shot(train[2], "fox"), *crowd(200)])
    lay("watch", [Shot("sample", "fox", look=6), Shot(train[1], "owl"), *crowd(20, word="watched")])
    split(batches("one", watch="acceptance"), DEFAULT)
    photos = lake.read_split()
    assert set(photos.table.column("batch").to_pylist()) == {"one"}
    assert [row["side"] for row in photos.table.to_pylist()[:3]] == ["test", "test", "train"]
    assert photos.table.column("dropped").null_count == len(photos)  # another label in acceptance is no conflict


def test_a_photo_in_quarantine_draws_nobody_into_test() -> None:
    test, train = words_on("test", 1)[0], words_on("train", 1)[0]
    (row, *_) = run(Shot(train, "fox", look=5), Shot(test, "fox", look=5, reason="damaged"))
    assert row["side"] == "train"


LOOKS = st.integers(0, 7).map(lambda number: 0b111111 << (6 * number))
GROWTH = st.lists(
    st.tuples(
        st.sampled_from(["train", "train", "acceptance"]),
        st.lists(
            st.builds(
                Shot,
                st.integers(0, 30).map(lambda number: f"seen {number}"),
                st.sampled_from(["fox", "owl", "hare"]),
                st.one_of(st.none(), LOOKS),
                st.sampled_from([None, None, None, "damaged"]),
            ),
            max_size=15,
        ),
    ),
    min_size=1,
    max_size=5,
)


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(growth=GROWTH, distance=st.integers(0, 12))
def test_what_was_ever_in_test_stays_there_as_batches_are_added(
    growth: list[tuple[Role, list[Shot]]], distance: int
) -> None:
    ever: set[str] = set()
    looks = {shot.word: shot.look for _, shots in growth for shot in shots}  # the same bytes always look the same
    lay("base", crowd(120))
    roles: dict[str, Role] = {}
    for number, (role, shots) in enumerate([("train", []), *growth]):
        name = f"batch{number}"
        lay(name, [Shot(shot.word, shot.label, looks[shot.word], shot.reason) for shot in shots])
        roles[name] = role
        split(batches("base", **roles), SplitSettings(near_duplicate_distance=distance))
        photos = lake.read_split()
        found = sides(photos)
        assert {found[each] for each in ever & found.keys()} <= {"test"}
        ever |= {each for each, side in found.items() if side == "test"}
        one_side_each = {(row["group"], row["side"]) for row in photos.table.to_pylist() if row["side"]}
        assert len(one_side_each) == len({group for group, _ in one_side_each})
        assert max(Counter(row["id"] for row in photos.table.to_pylist() if row["side"]).values()) == 1


def test_a_larger_test_share_takes_photos_and_gives_none_back() -> None:
    lay("one", crowd(400))
    before: set[str] = set()
    for share in (0.05, 0.2, 0.5, 0.9):
        split(batches("one"), SplitSettings(test_share=share))
        now = {each for each, side in sides(lake.read_split()).items() if side == "test"}
        assert before < now
        before = now


def refused(*shots: Shot, settings: SplitSettings = DEFAULT) -> str:
    lay("one", shots)
    with pytest.raises(DataError) as caught:
        split(batches("one"), settings)
    assert not layout.SPLIT.exists()
    return str(caught.value)


def test_a_label_with_one_photo_is_named() -> None:
    message = refused(*crowd(200), Shot("lonely", "stoat"))
    assert message.startswith("label 'stoat' has 1 photo, and one that can be used")
    assert "petpark data add" in message
    assert "corrections.csv" in message


def test_a_label_that_lost_its_photos_on_the_way_is_named() -> None:
    bad = [Shot(f"bad {number}", "stoat", reason="damaged") for number in range(3)]
    assert refused(*crowd(200), *bad).startswith("label 'stoat' has 3 photos, and none that can be used")
    twins = [Shot("twin", "stoat") for _ in range(3)]
    assert refused(*crowd(200), *twins).startswith("label 'stoat' has 3 photos, and one that can be used")
    doubtful = [Shot(f"doubt {number}", label) for number in range(3) for label in ("stoat", "fox")]
    assert refused(*crowd(200), *doubtful).startswith("label 'stoat' has 3 photos, and none that can be used")


def test_a_label_can_be_taken_out_by_excluding_its_photos() -> None:
    shots = [Shot("lonely", "stoat"), Shot("broken", "stoat", reason="damaged")]
    correct(*[(shot.id, "excluded") for shot in shots])
    lay("one", [*crowd(200), *shots])
    split(batches("one"), DEFAULT)
    assert lake.labels(lake.read_split()) == ("fox", "hare", "owl")


def test_a_correction_to_a_label_that_nobody_else_has_is_noticed() -> None:
    correct((crowd(1)[0].id, "fxo"))
    assert refused(*crowd(200)).startswith("label 'fxo' has 1 photo, and one that can be used")


def test_one_label_is_too_few() -> None:
    assert refused(*crowd(50, labels=["fox"])).startswith("all photos have the label 'fox', and a classifier needs two")
    correct(*[(shot.id, "excluded") for shot in crowd(3)])
    assert refused(*crowd(3)).startswith("all photos are excluded")


@pytest.mark.parametrize(("test", "validation", "empty"), [(0.001, 0.5, "test"), (0.5, 0.001, "validation")])
def test_a_side_without_photos_is_named(test: float, validation: float, empty: str) -> None:
    message = refused(*crowd(40), settings=SplitSettings(test_share=test, validation_share=validation))
    assert message.startswith(f"no photo fell on the side '{empty}'")
    assert "params.yaml" in message


def test_photos_that_all_look_alike_cannot_be_split() -> None:
    alike = [Shot(f"dark {number}", ("fox", "owl")[number % 2], look=0) for number in range(100)]
    assert refused(*alike).startswith("no photo fell on the side 'train'")


def test_without_a_training_batch_nothing_is_split() -> None:
    lay("watch", crowd(50))
    for settings in (batches(), batches(watch="acceptance")):
        with pytest.raises(DataError, match="lists no batch with the role `train`"):
            split(settings, DEFAULT)


def test_a_missing_manifest_says_how_to_get_it() -> None:
    lay("one", crowd(50))
    with pytest.raises(DataError, match=r"lake/two/manifest.parquet is missing: fetch it with `dvc pull"):
        split(batches("one", "two"), DEFAULT)


def test_a_folder_called_excluded_is_no_label() -> None:
    assert "folder `excluded`" in refused(*crowd(50), Shot("a", "excluded"), Shot("b", "excluded"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo;label\n", "line 1: the first line must be `id,label`"),
        ("", "line 1: the first line must be `id,label`"),
        ("id,label\nabc123,fox\n", "line 2: 'abc123' is no photo id"),
        (f"id,label\n{'A' * 64},fox\n", "is no photo id"),
        (f"id,label\n\nsha256:{'a' * 64},fox\n", "line 3: 'sha256:"),
        (f"id,label\n{'a' * 64}\n", "line 2: `id,label` is wanted, and 1 cells are there"),
        (f"id,label\n{'a' * 64},fox,owl\n", "line 2: `id,label` is wanted, and 3 cells are there"),
        (f"id,label\n{'a' * 64}, \n", "line 2: '' is no label"),
        (f'id,label\n{"a" * 64},"fo\nx"\n', "is no label"),
        (f"id,label\n{'a' * 64},fox\n{'b' * 64},fox\n{'a' * 64},fox\n", "line 4: photo aaaaaaaaaaaa… stands twice"),
        (f'id,label\n{"a" * 64},"fox\n', "not readable as CSV"),
    ],
)
def test_a_wrong_line_of_the_corrections_is_named(text: str, message: str) -> None:
    layout.CORRECTIONS.write_text(text)
    found = refused(*crowd(100))
    assert found.startswith("corrections.csv, line ")
    assert message in found


def test_corrections_in_another_encoding_are_named() -> None:
    layout.CORRECTIONS.write_bytes(b"id,label\n" + b"a" * 64 + b",f\xfcchs\n")
    assert "corrections.csv, line 2: not readable as UTF-8" in refused(*crowd(100))


def test_corrections_as_spreadsheets_write_them_are_read() -> None:
    photo = crowd(1)[0]
    layout.CORRECTIONS.write_bytes(f"\ufeffid,label\r\n\r\n {photo.id} ,hare\r\n,\r\n".encode())
    lay("one", crowd(100))
    split(batches("one"), DEFAULT)
    row = lake.read_split().table.to_pylist()[0]
    assert (row["label"], row["corrected"]) == ("hare", True)


def test_corrections_of_photos_that_nobody_has_are_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    correct((NO_HASH, "fox"), ("f" * 64, "excluded"))
    lay("one", crowd(100))
    split(batches("one"), DEFAULT)
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"corrections.csv names 2 photos in no batch, such as {NO_HASH}."
    assert last.startswith("100 photos: train ")


def test_the_summary_counts_sides_and_what_was_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    run(Shot("twin", "fox"), Shot("twin", "fox"), Shot("doubt", "fox"), Shot("doubt", "owl"))
    photos = lake.read_split()
    counts = ", ".join(f"{side} {len(lake.side(photos, side))}" for side in lake.SIDES)
    assert capsys.readouterr().out == f"204 photos: {counts}; dropped: conflict 2, duplicate 1\n"


def test_from_archives_to_sides_near_duplicates_stay_together() -> None:
    rng = np.random.default_rng(0)
    originals = {
        f"{label}/{number}": draw(int(rng.integers(2**32)), width=200, height=150)
        for label in ("fox", "owl")
        for number in range(40)
    }
    first = {f"{name}.jpg": jpeg(image) for name, image in originals.items()}
    again = {f"{name} again.jpg": jpeg(image.resize((180, 135)), 70) for name, image in originals.items()}
    listed = {}
    for name, members in (("one", first), ("two", again)):
        listed[name] = Batch(sha256=files.sha256(pack(layout.archive(name), members)))
        ingest(name, listed[name].sha256, IngestSettings(short_side=64), workers=1)
    split(IngestSettings(short_side=64, batches=listed), SplitSettings(near_duplicate_distance=8))
    rows = lake.read_split().table.to_pylist()
    assert len(rows) == 160
    assert [row["group"] for row in rows[:80]] == [row["group"] for row in rows[80:]] == list(range(80))
    assert [row["side"] for row in rows[:80]] == [row["side"] for row in rows[80:]]


def test_real_photos_form_no_false_groups(test_data: Path) -> None:
    listed = {}
    for name in ("pets-originals", "pets-extra"):
        layout.archive(name).parent.mkdir(exist_ok=True)
        layout.archive(name).symlink_to(test_data / "data" / f"{name}.tar")
        listed[name] = Batch(sha256=files.sha256(layout.archive(name)))
        ingest(name, listed[name].sha256, IngestSettings(short_side=160))
    split(IngestSettings(short_side=160, batches=listed), DEFAULT)
    rows = lake.read_split().table.to_pylist()
    size = Counter(row["group"] for row in rows)
    assert {size[row["group"]] for row in rows if row["batch"] == "pets-extra"} == {1}  # 600 photos, 600 scenes
    pairs = Counter(size[row["group"]] for row in rows if row["batch"] == "pets-originals")
    assert pairs == {1: 116, 2: 40}  # a photo and its copy in another size, format, colour, light or direction
