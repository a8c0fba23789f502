"""Each row at a tiny size: contenders do their work, and the judge says yes and no."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks import (
    dvc_files,
    feeding,
    feeds,
    harness,
    increment,
    ingest,
    memory,
    noop,
    peers,
    pictures,
    repository,
    result,
    scale,
)
from petpark import layout
from tests.build.data.repository import git

PEERS = ["PIL script", "Hugging Face datasets", "Hugging Face datasets, the script inside"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Drawn pictures, one round, and a scratch of the test's own."""
    monkeypatch.delenv("PETPARK_TEST_DATA", raising=False)
    monkeypatch.setenv("SCALE", "0")
    monkeypatch.setenv("ROUNDS", "1")
    monkeypatch.setattr(harness, "SCRATCH", tmp_path / "scratch")


def installed(name: str) -> None:
    pytest.importorskip(name, reason=f"needs {name}, of the group `bench`")


# Pictures


@pytest.mark.parametrize("draw", [pictures.photos, pictures.small])
def test_pictures_are_the_same_each_time_and_no_two_alike(draw: object) -> None:
    first, second = list(pictures.photos(40)), list(pictures.photos(40))
    assert first == second
    assert len({data for _, data in first}) == 40


def test_photos_have_their_size_and_about_as_many_bytes_as_a_camera_gives() -> None:
    photos = list(pictures.photos(36))
    assert {Image.open(io.BytesIO(data)).size for _, data in photos} == {(500, 375)}
    assert 15_000 < np.mean([len(data) for _, data in photos]) < 50_000
    assert "drawn" in pictures.source()


def test_photos_come_from_the_real_originals_where_they_are(test_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = next(pictures.photos(1))
    monkeypatch.setenv("PETPARK_TEST_DATA", str(test_data))
    real = next(pictures.photos(1))
    assert pictures.source() == "real photos"
    assert real != drawn
    assert Image.open(io.BytesIO(real[1])).size == (500, 375)


def test_an_archive_holds_pictures_by_label(tmp_path: Path) -> None:
    archive = pictures.pack(tmp_path / "data" / "some.tar", pictures.small(6))
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert names == sorted(names)
    assert {name.partition("/")[0] for name in names} == set(pictures.LABELS)


# Ingest


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos as an archive and as loose files."""
    folder = tmp_path_factory.mktemp("photos")
    ingest.lay(folder, 12)
    return folder


@pytest.mark.parametrize("racer", [ingest.petpark, peers.codec, peers.codec_area, peers.script])
def test_a_contender_of_ingest_takes_its_time(photos: Path, racer: object) -> None:
    assert callable(racer)
    assert 0 < harness.apart(racer, str(photos)) < 60


def test_the_script_stores_what_petpark_stores(photos: Path) -> None:
    harness.apart(peers.script, str(photos))
    harness.apart(ingest.petpark, str(photos))
    theirs = pq.read_table(photos / "script.parquet").to_pylist()
    ours = pq.read_table(photos / layout.manifest("photos")).to_pylist()
    assert {(row["id"], row["label"]) for row in theirs} == {(row["id"], row["label"]) for row in ours}
    assert {Image.open(io.BytesIO(row["jpeg"])).size for row in theirs} == {(213, 160)}


@pytest.mark.parametrize("racer", [peers.hugging_face, peers.hugging_face_with_script])
def test_hugging_face_stores_every_photo_shrunk(photos: Path, racer: object) -> None:
    installed("datasets")
    assert callable(racer)
    assert harness.apart(racer, str(photos)) > 0
    table = pq.read_table(photos / "datasets.parquet")
    stored = [each["bytes"] if isinstance(each, dict) else each for each in table.column(_image(table)).to_pylist()]
    assert len(stored) == 12
    assert {Image.open(io.BytesIO(each)).size for each in stored} == {(213, 160)}


def _image(table: object) -> str:
    names = getattr(table, "column_names", [])
    return "image" if "image" in names else "jpeg"


def raced(ours: float, codec: float, *others: float) -> dict[str, list[float]]:
    return {"petpark": [ours], "limit": [codec]} | {name: [each] for name, each in zip(PEERS, others, strict=False)}


@pytest.mark.parametrize(
    ("seconds", "met"),
    [
        (raced(1.0, 0.8, 1.1, 3.0, 1.2), True),
        (raced(1.0, 0.79, 1.1, 3.0, 1.2), False),
        (raced(1.0, 0.8, 0.9, 3.0, 1.2), False),
        (raced(1.0, 0.8, 1.1, 2.9, 1.2), False),
        (raced(1.0, 0.8, 1.1), False),
    ],
)
def test_ingest_is_judged_by_limit_script_and_hugging_face(seconds: dict[str, list[float]], *, met: bool) -> None:
    found = ingest.judge(seconds, 800)
    assert found.met is met
    assert found.figure == seconds["limit"][0]
    assert f"{800 / seconds['limit'][0]:,.0f} photos/s" in found.limit


def test_where_datasets_is_missing_its_contenders_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "find_spec", lambda _: None)
    monkeypatch.setattr(feeding, "find_spec", lambda _: None)
    assert not [name for name in {**ingest.contenders(), **feeding.contenders()} if "Hugging" in name]


# One more batch


def test_one_more_batch_is_timed_after_all_others() -> None:
    found = increment.run()
    assert found.row == "increment"
    assert found.figure > 0
    assert "20 after 2,000" in found.machine


@pytest.mark.parametrize(("all_", "more", "met"), [(100.0, 6.9, True), (100.0, 7.1, False), (10.0, 5.3, False)])
def test_one_more_batch_may_take_two_percent_and_five_seconds(all_: float, more: float, *, met: bool) -> None:
    assert increment.judge([increment.Took(all_, more)], 1000).met is met


# Files in DVC


def test_an_archive_races_loose_files_through_dvc() -> None:
    found = dvc_files.run()
    assert found.figure > 0
    assert list(found.peers) == ["loose files, packing counted too"]


# Feeding


def test_every_feed_trains() -> None:
    with harness.scratch("feeds") as folder:
        harness.apart(feeds.prepare, str(folder), feeds.BATCH * 3)
        took = {
            feed: harness.apart(feeds.train, str(folder), feed, 0) for feed in ("cache", "resident", "image_folder")
        }
    assert all(each["rate"] > 0 and 0 <= each["loading"] < 1 for each in took.values())
    assert took["cache"]["loading"] < took["image_folder"]["loading"]


def test_hugging_face_feeds_the_trainer_too() -> None:
    installed("datasets")
    with harness.scratch("feeds") as folder:
        harness.apart(feeds.prepare, str(folder), feeds.BATCH * 3)
        assert harness.apart(feeds.train, str(folder), "hugging_face", 1)["rate"] > 0


def moments(*times: tuple[float, float, float]) -> list[feeds.Moment]:
    return [feeds.Moment(*each) for each in times]


def test_the_first_epoch_and_the_pauses_between_epochs_do_not_count() -> None:
    slow = moments((0, 0, 0), (10, 10, 10), (20, 20, 20))
    second = moments((50, 50, 50), (60, 60.0, 50.0), (61, 62.0, 50.1))
    third = moments((90, 90, 90), (95, 100.0, 91.0), (96, 102.0, 91.1))
    found = feeds.measured(slow + second + third, 3)
    assert found["rate"] == feeds.BATCH
    assert found["loading"] == pytest.approx(0.05)


def fed(device: str, loading: float, ours: float, resident: float) -> dict[str, Sequence[feeding.Took]]:
    def took(rate: float) -> list[feeding.Took]:
        return [{"rate": rate, "loading": loading, "device": device}]

    return {"petpark": took(ours), "resident batch": took(resident)}


@pytest.mark.parametrize(
    ("took", "met"),
    [
        (fed("cpu", 0.05, 80, 100), True),
        (fed("cpu", 0.06, 100, 100), False),
        (fed("cuda", 0.05, 95, 100), True),
        (fed("cuda", 0.05, 94, 100), False),
    ],
)
def test_feeding_is_judged_by_cpu_time_and_on_a_gpu_by_the_rate_too(
    took: dict[str, Sequence[feeding.Took]], *, met: bool
) -> None:
    assert feeding.judge(took, 64).met is met


# Nothing to do


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with a photo and a stage, whose result is committed and in a store of its own."""
    root = repository.empty(tmp_path / "origin")
    (root / ".dvc" / "config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = store\n")
    (root / ".gitignore").write_text("/data\n/models\n")
    pictures.pack(root / "data" / "some.tar", pictures.small(2))
    (root / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: mkdir -p models && wc -c data/some.tar > models/model.onnx\n"
        "    deps: [data/some.tar]\n    outs: [models/model.onnx]\n"
    )
    for words in (("add", "data"), ("repro",), ("push",)):
        repository.dvc(root, *words)
    repository.commit(root)
    return root


def test_where_nothing_changed_nothing_is_touched(origin: Path, tmp_path: Path) -> None:
    noop.check(origin, tmp_path)
    found = noop.look(origin, tmp_path)
    assert found.touched == []
    assert 0 < found.seconds < 60


def test_a_model_that_is_fetched_is_named(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noop, "_COMMAND", ("pull", "models/model.onnx"))
    assert noop.look(origin, tmp_path).touched == ["models/model.onnx"]


def test_a_stale_lock_is_refused_before_a_stage_runs(origin: Path, tmp_path: Path) -> None:
    text = (origin / "dvc.yaml").read_text()
    (origin / "dvc.yaml").write_text(text.replace("wc -c", "wc -w"))
    git("commit", "--all", "--quiet", "--message", "changed", cwd=origin)
    with pytest.raises(RuntimeError, match="has to run: train"):
        noop.check(origin, tmp_path)


# Scale


def test_every_stage_runs_and_is_watched() -> None:
    found = scale.run()
    assert 0 < found.figure < 2
    assert all(stage in found.machine for stage in ("ingest", "split", "train", "package", "evaluate"))
    assert list(found.peers) == ["200 pictures, per picture"]


def watched(seconds: float, gigabytes: float) -> scale.Took:
    return {"ingest": memory.Watched(1, 10**8), "train": memory.Watched(seconds, int(gigabytes * 1e9))}


@pytest.mark.parametrize(
    ("many", "few", "met"),
    [
        (watched(99, 1.9), watched(9, 1), True),
        (watched(99, 2.1), watched(9, 1), False),
        (watched(120, 1), watched(9, 1), False),
    ],
)
def test_scale_is_judged_by_memory_and_by_time_per_picture(many: scale.Took, few: scale.Took, *, met: bool) -> None:
    found = scale.judge([many], [few], 1000)
    assert found.met is met
    assert isinstance(found, result.Result)
