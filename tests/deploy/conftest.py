"""A service that several tests ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import models
from tests.deploy.serving import Running, running


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
