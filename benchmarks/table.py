"""The README's table, as results.json gives it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import harness, result
from petpark import files

README: Final = harness.ROOT / "README.md"
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
TITLES: Final = {  # the rows, in their order; each is a module of this package
    "ingest": "ingest of 500 x 375 photos",
    "increment": "one more batch of 1 %",
    "dvc_files": "`dvc add`, `push` and `pull` of small photos",
    "feeding": "the loader, second epoch on",
    "noop": "`dvc repro --pull --allow-missing` in a fresh clone",
    "scale": "100,000 pictures, `ingest` to `evaluate`",
    "serve_cpu": "server CPU time for a request",
    "serve_even": "two workers, 4 and 32 keep-alive connections",
    "serve_latency": "latency at half load",
    "serve_log": "prediction log and metrics",
    "serve_overload": "twice the capacity for a minute",
    "serve_container": "the container",
}
_HEAD: Final = "| work | measured | goal | limit | times as fast as |\n|---|---|---|---|---|"
_BETWEEN: Final = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)


def table(results: Mapping[str, result.Result]) -> str:
    """Lay out results as a table in Markdown, and below it where each was measured."""
    rows = [_row(title, results[name]) for name, title in TITLES.items() if name in results]
    if not rows:
        return "Nothing is measured yet: `make bench` does it.\n"
    notes = [f"- `{name}`: {results[name].date}, {results[name].machine}." for name in TITLES if name in results]
    return "\n".join([_HEAD, *rows, "", *notes, ""])


def insert(text: str, between: str) -> str:
    """Put a table between the two markers of a document.

    Raises:
        ValueError: the document lacks them.
    """
    if not _BETWEEN.search(text):
        raise ValueError(f"the document has no line {BEGIN} with a line {END} after it")
    return _BETWEEN.sub(lambda _: between, text, count=1)


def current(text: str) -> str:
    """What stands between the two markers of a document; nothing where they are missing."""
    found = _BETWEEN.search(text)
    return found[0] if found else ""


def write(results: Mapping[str, result.Result], readme: Path = README) -> None:
    """Bring the README's table up to date."""
    files.write_text(readme, insert(readme.read_text(), table(results)))


def _row(title: str, found: result.Result) -> str:
    low, high = map(harness.describe, found.spread)
    measured = f"{'**' if found.met else ''}{harness.describe(found.figure)}{'**' if found.met else ''}"
    peers = "; ".join(
        f"{name} {harness.describe(times.middle)} ({harness.describe(times.low)} to {harness.describe(times.high)})"
        for name, times in found.peers.items()
    )
    goal = f"{found.goal}: {'met' if found.met else '**not met**'}"
    cells = (title, f"{measured} {found.unit} ({low} to {high})", goal, found.limit, peers or "-")
    return f"| {' | '.join(cells)} |"
