"""What the tests of rows share: drawn pictures, tiny sizes, one round, a scratch of the test's own."""

from pathlib import Path
from typing import Any, Final

import pytest
from benchmarks.serving import material

from benchmarks import harness
from tests import models

LABELS: Final = ("ash", "beech")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let a row run at its least size."""
    monkeypatch.delenv("PETPARK_TEST_DATA", raising=False)
    monkeypatch.setenv("SCALE", "0")
    monkeypatch.setenv("ROUNDS", "1")
    monkeypatch.setattr(harness, "SCRATCH", tmp_path / "scratch")


def installed(name: str) -> None:
    """Skip where a package of the group `bench` is missing."""
    pytest.importorskip(name, reason=f"needs {name}, of the group `bench`")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tiny: None) -> None:
    """Serve a tiny model in place of the large one, which takes long to export."""

    def instead(function: Any, *args: Any, **options: Any) -> Any:
        if function is material.model:
            card = models.card(LABELS, image_size=material.SIZE)
            return models.save(Path(args[0]), models.colours(LABELS), card, size=material.SIZE, labels=len(LABELS))
        return apart(function, *args, **options)

    apart = harness.apart
    monkeypatch.setattr(harness, "apart", instead)


@pytest.fixture
def served(small: None, tmp_path: Path) -> material.Material:
    """What the serving rows serve and send."""
    return material.lay(tmp_path)
