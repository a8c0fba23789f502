"""What the tests of rows share: drawn pictures, tiny sizes, one round, a scratch of the test's own."""

from pathlib import Path

import pytest

from benchmarks import harness


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
