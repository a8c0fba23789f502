"""The rows that train, at a tiny size: feeding and scale."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import feeding, feeds, harness, memory, scale

pytestmark = pytest.mark.usefixtures("tiny")


def feed_all(folder: str) -> dict[str, Any]:
    """Called in another process: train by every feed that is installed."""
    feeds.prepare(folder, feeds.BATCH * 3)
    names = [name for name in feeds.FEEDS if name != "hugging_face" or find_spec("datasets")]
    return {name: feeds.train(folder, name, int(name != "image_folder")) for name in names}


def test_every_feed_trains(tmp_path: Path) -> None:
    took = harness.apart(feed_all, str(tmp_path))
    assert {"cache", "resident", "image_folder"} <= set(took)
    assert all(each["rate"] > 0 and 0 <= each["loading"] < 1 for each in took.values())
    assert took["cache"]["loading"] < took["image_folder"]["loading"]


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


def test_every_stage_runs_and_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scale.SETTINGS, "train", {"image_size": 16, "epochs": 1})
    took = scale.stages(scale.lay(tmp_path / "few", 200))
    assert list(took) == ["ingest", "split", "train", "package", "evaluate"]
    assert all(1e7 < stage.bytes < 2e9 and stage.seconds > 0 for stage in took.values())


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
    assert "train" in found.machine
    assert list(found.peers) == ["100 pictures, per picture"]
