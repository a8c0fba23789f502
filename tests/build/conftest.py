"""What the tests of trainer and packager share: a lake, a model trained on it, and that model packaged."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from petpark.config.package import PackageSettings
from petpark.config.train import TrainSettings
from tests.build import lakes

SETTINGS = TrainSettings(
    image_size=32, epochs=3, batch_size=16, learning_rate=0.003, ema=0.8, label_smoothing=0.02, cache_gb=0.1
)
SEED = 5


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Small networks are learned faster by one thread than by several that wait for one another."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake; to be left as it is."""
    folder = tmp_path_factory.mktemp("lake")
    lakes.grow(folder)
    return folder


@pytest.fixture(scope="session")
def trained(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a model trained on it; to be left as it is."""
    from petpark.build.train import train

    folder = lakes.copy(grown, tmp_path_factory.mktemp("trained"))
    with contextlib.chdir(folder), one_thread():
        train(SETTINGS, SEED)
    return folder


@pytest.fixture(scope="session")
def packaged(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake, a model trained on it, and that model packaged; to be left as it is."""
    from petpark.build.package import package

    folder = lakes.copy(trained, tmp_path_factory.mktemp("packaged"))
    with contextlib.chdir(folder):
        package(PackageSettings(), 0.005, lakes.BATCHES, SEED)
    return folder


@pytest.fixture
def lake_here(grown: Path, workspace: Path) -> Path:
    """A lake of the test's own, in the current folder."""
    return lakes.copy(grown, workspace)


@pytest.fixture
def trained_here(trained: Path, workspace: Path) -> Path:
    """A lake and a trained model of the test's own, in the current folder."""
    return lakes.copy(trained, workspace)


@pytest.fixture
def packaged_here(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packaged model, in the current folder; to be left as it is."""
    monkeypatch.chdir(packaged)
    return packaged
