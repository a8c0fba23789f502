"""What the tests of the search share: settings, and studies whose trials cost no training."""

from pathlib import Path
from typing import Any

import pytest

from petpark.build.tune.plan import Plan, Sampler, Shard
from petpark.config.settings import parse
from petpark.config.train import TrainSettings
from petpark.config.tune import TuneSettings
from tests.build import lakes

SEED = 3
TRAIN = TrainSettings(image_size=16, epochs=3, batch_size=16, learning_rate=0.003, ema=0.8, cache_gb=0.1)
SEARCH: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
    "label_smoothing": [0, 0.1],
    "crop": {"low": 0.3, "high": 1},
}


def tuned(search: dict[str, Any] | None = None) -> TuneSettings:
    """Settings with such a search space."""
    return parse(TuneSettings, {"search": SEARCH if search is None else search}, "tune")


def planned(
    sampler: Sampler = "random",
    trials: int | None = 6,
    shard: Shard | None = None,
    *,
    search: dict[str, Any] | None = None,
    study: str = "study.db",
    **changes: Any,
) -> Plan:
    """A plan whose study lies in the current folder."""
    shard = shard or Shard()
    path = Path(study if shard.count == 1 else f"{shard.number}-{study}")
    return Plan(path, TRAIN.model_copy(update=changes), tuned(search), SEED, sampler, trials, shard)


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small lake; to be left as it is."""
    folder = tmp_path_factory.mktemp("little")
    lakes.grow(folder, 72)
    return folder


@pytest.fixture
def little_here(little: Path, workspace: Path) -> Path:
    """A small lake of the test's own, in the current folder."""
    return lakes.copy(little, workspace)
