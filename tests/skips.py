"""Were tests skipped that should have run? `python -m tests.skips REPORT.xml` asks a JUnit report of pytest.

It names each skipped test with its reason, ends with a line that counts, and fails if a reason is not in ALLOWED.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

ALLOWED: Final[tuple[str, ...]] = ()
"""Reasons (regular expressions) for which CI may skip a test."""


def skipped(report: ET.Element) -> Iterator[tuple[str, str]]:
    """Yield test and reason of each skip; an expected failure is none."""
    for case in report.iter("testcase"):
        for skip in case.findall("skipped"):
            if skip.get("type") != "pytest.xfail":
                why = skip.get("message", "")
                whole_module = why == "collection skipped"  # then the reason is in the text
                yield f"{case.get('classname')}::{case.get('name')}", (skip.text or "") if whole_module else why


def counts(report: ET.Element) -> tuple[int, int, int]:
    """Return how many tests passed, failed (errors too) and were skipped."""
    suites = list(report.iter("testsuite"))
    tests, failed, errors, skips = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return tests - failed - errors - skips, failed + errors, skips


def main(path: Path, allowed: Sequence[str] = ALLOWED) -> int:
    """Print what was skipped and the counts; return the exit status."""
    report = ET.parse(path).getroot()
    wrong = [(test, why) for test, why in skipped(report) if not any(re.search(each, why) for each in allowed)]
    for test, why in wrong:
        print(f"skipped, and should have run: {test}: {why}")
    passed, failed, skips = counts(report)
    print(f"{passed} passed, {failed} failed, {skips} skipped")
    return 1 if wrong or failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
