"""A service that several tests ask."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from petpark import layout
from tests import models
from tests.deploy import docker
from tests.deploy.checkouts import make
from tests.deploy.docker import Container, Image
from tests.deploy.serving import ROOT, Running, running


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that answers by a photo's mean colour."""
    return models.save(tmp_path_factory.mktemp("model") / "model.onnx", metadata=models.card())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    """A service with a prediction log, that does not end during a module's tests."""
    folder = tmp_path_factory.mktemp("service")
    with running(folder, model=str(model), log=f"sqlite:///{folder}/log.db") as found:
        yield found


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packaged model of this repository and its golden rows: what CI is to deliver."""
    folder = tmp_path_factory.mktemp("shipped")
    for path in (layout.MODEL, layout.GOLDEN):
        if (ROOT / path).exists():
            shutil.copy(ROOT / path, folder)
        else:
            subprocess.run(["dvc", "get", "--quiet", ROOT, path, "--out", folder / path.name], check=True)
    return folder


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, shipped: Path) -> Image:
    """The container of the packaged model, built once."""
    if reason := docker.missing():
        pytest.skip(reason)
    return docker.build(make(tmp_path_factory.mktemp("container") / "a checkout", shipped / layout.MODEL.name))


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[Container]:
    """It, running as it should: read-only, without rights, with a volume for its state."""
    with docker.running(image) as found:
        yield found
