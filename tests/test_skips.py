"""CI fails where a test was skipped that could have run: asked of real reports of pytest."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ALLOWED, main

PASSES = "def test_passes(): pass\n"
SKIPS = "import pytest\ndef test_skips(): pytest.skip('needs a Docker engine')\n"
MARKED = "import pytest\n@pytest.mark.skip(reason='not today')\ndef test_marked(): pass\n"
MODULE = "import pytest\npytest.skip('needs real photos', allow_module_level=True)\n"
EXPECTED = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_expected(): raise ValueError\n"
FAILS = "def test_fails(): assert False\n"
BROKEN = "import pytest\n@pytest.fixture\ndef thing(): raise ValueError\ndef test_broken(thing): pass\n"


@pytest.fixture
def report(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Run pytest on the given modules and return its report."""
    for index, code in enumerate(request.param):
        (tmp_path / f"test_{index}.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    plain = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run([*command, "--junitxml=report.xml", "."], cwd=tmp_path, env=plain, check=False, capture_output=True)
    return tmp_path / "report.xml"


def closing_line(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    *before, last = capsys.readouterr().out.splitlines()
    return "\n".join(before), last


@pytest.mark.parametrize("report", [[PASSES, EXPECTED]], indirect=True)
def test_nothing_skipped_is_well(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report) == 0
    assert closing_line(capsys)[0] == ""


@pytest.mark.parametrize(
    ("report", "reason"),
    [([PASSES, SKIPS], "needs a Docker engine"), ([PASSES, MARKED], "not today"), ([PASSES, MODULE], "real photos")],
    indirect=["report"],
)
def test_a_skip_fails_and_is_named(report: Path, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report) == 1
    assert reason in closing_line(capsys)[0]


@pytest.mark.parametrize("report", [[PASSES, SKIPS]], indirect=True)
def test_a_skip_for_an_allowed_reason_is_well(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report, ["a Docker engine$"]) == 0
    assert closing_line(capsys) == ("", "1 passed, 0 failed, 1 skipped")


@pytest.mark.parametrize("report", [[PASSES, SKIPS, MODULE]], indirect=True)
def test_an_allowed_reason_excuses_no_other(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report, ["a Docker engine$"]) == 1
    assert "Docker" not in closing_line(capsys)[0]


@pytest.mark.parametrize("report", [[PASSES, FAILS, BROKEN]], indirect=True)
def test_failures_and_errors_fail_and_are_counted(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report) == 1
    assert closing_line(capsys) == ("", "1 passed, 2 failed, 0 skipped")


@pytest.mark.parametrize("report", [[""]], indirect=True)
def test_no_test_at_all_fails(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(report) == 1
    assert closing_line(capsys) == ("", "0 passed, 0 failed, 0 skipped")


def test_no_reason_is_allowed_yet() -> None:
    assert ALLOWED == ()
