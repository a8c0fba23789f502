"""The container's lock: thin, exact, hashed, and of the versions that everything else is tested with."""

import itertools
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from petpark.deploy.bundle import bento, wheelhouse
from petpark.errors import SetupError
from tests.test_requirements import PROJECT, ROOT, lock, unmet

TEXT = (ROOT / bento.LOCK).read_text()
HEAVY = {"torch", "dvc", "deepchecks", "onnx", "pandas", "scipy", "pip", "setuptools", "uv"}


def pins() -> list[Requirement]:
    """Return what stands in the container's lock."""
    return [Requirement(line.removesuffix(" \\")) for line in TEXT.splitlines() if not line.startswith("    ")]


@pytest.mark.tree
def test_its_pins_are_those_of_the_other_lock() -> None:
    known = {(canonicalize_name(pin.name), str(pin.specifier)) for pin in lock()}
    assert [str(pin) for pin in pins() if (canonicalize_name(pin.name), str(pin.specifier)) not in known] == []


@pytest.mark.tree
def test_it_holds_all_that_serving_asks_for_and_nothing_of_training() -> None:
    groups = PROJECT["dependency-groups"]
    asked = [Requirement(each) for each in (*PROJECT["project"]["dependencies"], *groups["serve"])]
    assert unmet(asked, pins()) == [], "run `make lock`"
    assert not {canonicalize_name(pin.name) for pin in pins()} & HEAVY


@pytest.mark.tree
def test_each_pin_has_its_hashes_and_no_address() -> None:
    lines = TEXT.splitlines()
    for line, after in itertools.pairwise([*lines, ""]):
        if "==" in line:
            assert after.startswith("    --hash=sha256:"), f"{line}: run `make lock`"
    assert re.findall(r"https?:|--(?!hash=)", TEXT) == []


def test_no_wheels_are_fetched_for_a_machine_that_has_none(workspace: Path) -> None:
    with pytest.raises(SetupError, match="No container is built for 's390x'"):
        wheelhouse.fetch(Path("lock"), "s390x")


def test_wheels_that_are_there_are_not_fetched_again(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "lock").write_text("")
    monkeypatch.setattr("petpark.deploy.bundle.programs.run", lambda *_, **__: None)
    folder = wheelhouse.fetch(Path("lock"), "amd64")
    (folder / "a.whl").touch()
    assert wheelhouse.fetch(Path("lock"), "amd64") == folder
    assert wheelhouse.fetch(Path("lock"), "arm64") != folder
    assert not folder.exists(), "the wheels of the last lock alone are kept"


def test_what_cannot_be_fetched_leaves_no_wheels(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (workspace / "lock").write_text("petpark-is-not-there==1 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(SetupError, match="`uv tool run` failed; what it said above tells why"):
        wheelhouse.fetch(Path("lock"), "amd64")
    assert not list(workspace.glob(".petpark/wheels/*"))
