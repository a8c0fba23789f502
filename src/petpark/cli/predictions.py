"""Commands about the prediction log."""

import argparse
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.cli.types import Commands

_EXPORT = """examples:
  petpark predictions export --day 2026-11-25
  petpark predictions export --day 2026-11-25 --log postgresql://park@db.example/park --output day.parquet

docs/prediction-log.md names the columns."""


def add_commands(commands: "Commands") -> None:
    """Add the commands of this module."""
    predictions = commands.add_parser(
        "predictions",
        help="the log of predictions: export a day, migrate the tables",
        description="The log of what was predicted, and of what people said of it.",
    )
    actions = predictions.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="write a day's predictions into a Parquet file",
        description="Write the predictions of a day into a Parquet file, each with the last feedback to it.",
        epilog=_EXPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("--day", type=_day, required=True, metavar="YYYY-MM-DD", help="in UTC")
    _add_log(export)
    export.add_argument("--output", metavar="FILE", help="the file (default: predictions/YYYY-MM-DD.parquet)")
    export.set_defaults(run=_export)
    migrate = actions.add_parser(
        "migrate",
        help="make the tables, or bring them up to date",
        description="Make the tables of the log, or bring them up to date; who writes the log does it by itself, too.",
        epilog="example: petpark predictions migrate --log postgresql://park@db.example/park",
    )
    _add_log(migrate)
    migrate.set_defaults(run=_migrate)


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log",
        metavar="URL",
        help="database that holds the log (default: $PETPARK_LOG, or sqlite:///state/predictions.db)",
    )


def _day(text: str) -> date:
    return date.fromisoformat(text)


_day.__name__ = "day"  # as argparse's complaint names it


def _export(args: argparse.Namespace) -> None:
    from datetime import UTC, datetime
    from pathlib import Path

    from petpark.predictionlog import daily, database

    path = Path(args.output) if args.output else daily.default_path(args.day)
    done = daily.export(database.address(args.log), args.day, path)
    so_far = " so far; the day is not over" if args.day >= datetime.now(UTC).date() else ""
    print(f"{path}: {done.predictions:,} predictions, {done.feedback:,} with feedback{so_far}")


def _migrate(args: argparse.Namespace) -> None:
    from petpark.predictionlog import database, schema

    print(schema.migrate(database.address(args.log)))
