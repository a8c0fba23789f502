"""A service that several tests ask, and its page in a browser."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from petpark import files, layout, nearest
from tests import models
from tests.deploy import docker
from tests.deploy.browser import Tab, chromium
from tests.deploy.checkouts import make
from tests.deploy.docker import Container, Image
from tests.deploy.pages import THRESHOLD, TREES, WIDE
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
    """A folder with the packaged model of this repository, its golden rows and its index: what CI is to deliver."""
    folder = tmp_path_factory.mktemp("shipped")
    for path in (layout.MODEL, layout.GOLDEN, nearest.INDEX):
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


@pytest.fixture(scope="session")
def arboretum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that knows twelve trees: red is an ash, green a beech, blue a cedar, and at grey it is unsure."""
    folder = tmp_path_factory.mktemp("arboretum")
    card = models.card(TREES, threshold=THRESHOLD)
    model = models.save(folder / "model.onnx", models.colours(TREES), card, labels=len(TREES))
    known = nearest.Index(("4f" * 32, "a0" * 32), ("elm", "oak"), np.eye(2, 3, dtype=np.float32), files.sha256(model))
    nearest.write(known, folder / nearest.INDEX.name)
    with running(folder, model=str(model), log=f"sqlite:///{folder}/log.db") as found:
        yield found


@pytest.fixture(scope="session")
def address(arboretum: Running) -> str:
    """Where the page of that service is."""
    return arboretum.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of the test module's own: while one runs, nothing else in its process can use asyncio."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Tab]:
    """A tab that a module's tests use one after the other: a new one for each would take twice as long."""
    with Tab.open(browser, viewport=WIDE) as found:
        yield found


@pytest.fixture
def page(tab: Tab, address: str) -> Iterator[Page]:
    """The page of the service, loaded."""
    with tab.visit(address) as found:
        expect(found.locator("#version")).to_have_text(re.compile("version .+"))
        yield found
