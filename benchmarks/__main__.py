"""`python -m benchmarks [ROW ...]`: measure rows, keep the others, and write results.json and the README's table."""

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import result, table


def measure(row: str) -> result.Result:
    """Run the module of a row."""
    measured: result.Result = importlib.import_module(f"benchmarks.{row}").run()
    return measured


def main(
    arguments: Sequence[str] | None = None,
    results: Path = result.RESULTS,
    readme: Path = table.README,
    how: Callable[[str], result.Result] = measure,
) -> None:
    """Measure the rows that are named, or all; what is measured is kept though a later row fails."""
    for row in _rows(arguments):
        print(f"{row} ...", flush=True)
        measured = how(row)
        known = result.read(results) | {row: measured}
        result.write([known[name] for name in table.TITLES if name in known], results)
        table.write(known, readme)
        print(f"{measured.figure:g} {measured.unit}; {measured.goal}: {'met' if measured.met else 'not met'}")


def _rows(arguments: Sequence[str] | None) -> list[str]:
    known = ", ".join(table.TITLES)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure rows of the README's table, and keep the others as they are.",
        epilog="example: python -m benchmarks ingest noop",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{known} (default: all)")
    rows: list[str] = parser.parse_args(arguments).rows
    unknown = [row for row in rows if row not in table.TITLES]
    if unknown:
        parser.error(f"there is no row {unknown[0]}: the rows are {known}")
    return rows or list(table.TITLES)


if __name__ == "__main__":
    main()
