"""The command `report`: the stages' pages again, and the report of a change."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.cli.types import Commands
    from petpark.report.change.folder import Reader

_OUTPUTS = {
    "comment": "Markdown for a comment: at most 65,536 characters",
    "summary": "Markdown for a job summary: at most 1 MiB",
    "page": "HTML with everything: one file that loads nothing",
}


def add_commands(commands: "Commands") -> None:
    """Add the commands of this module."""
    report = commands.add_parser(
        "report",
        help="make the HTML pages again, or tell what a change does",
        description="Make the HTML pages again where no stage had to run; or tell what a change does.",
        epilog="example: petpark report change --base origin/main",
    )
    report.set_defaults(run=_pages)
    kinds = report.add_subparsers(title="reports", dest="report", metavar="REPORT")
    change = kinds.add_parser(
        "change",
        help="what does this change do to the model, and may it be merged?",
        description="Judge the head's evidence by the base's policy, and tell what moved. What the verdict is does not "
        "show in the exit status: 0 where there is a report, 2 where evidence cannot be used.",
        epilog="example: petpark report change --base origin/main --comment comment.md --page report.html",
    )
    change.add_argument("--base", required=True, help="Git revision, or a folder that holds policy.yaml")
    change.add_argument("--head", default=".", metavar="FOLDER", help="what is judged (default: what is here)")
    change.add_argument("--pending", default="", metavar="REASON", help="why the verdict does not count yet")
    change.add_argument("--run", dest="took", metavar="FILE", help="what the run took (schema run/1)")
    change.add_argument("--link-run", metavar="URL", help="address of the run")
    change.add_argument("--link-report", metavar="URL", help="address of the page")
    change.add_argument("--server", metavar="URL", help="where both must lie (default: $GITHUB_SERVER_URL, or GitHub)")
    for name, what in _OUTPUTS.items():
        change.add_argument(f"--{name}", metavar="FILE", help=what)
    change.set_defaults(run=_change)


def _pages(_: argparse.Namespace) -> None:
    from petpark.build.lock import remake_reports
    from petpark.config.params import load_params

    remake_reports(load_params().ingest)


def _change(args: argparse.Namespace) -> None:
    import os
    from pathlib import Path

    from petpark import files
    from petpark.report.change import compose, html, limits, links, side
    from petpark.report.change.folder import reader

    server = args.server or os.environ.get("GITHUB_SERVER_URL") or links.GITHUB
    named = (("full report", args.link_report), ("run", args.link_run))
    found = {text: links.checked(text, address, server) for text, address in named if address}
    base = side.read_base(*_base(args.base))
    head = side.read_head(reader(Path(args.head)), args.head)
    run = side.read_run(Path(args.took)) if args.took else None
    report = compose.compose(base, head, args.pending, run, tuple(found.values()))
    comment = limits.fit(report.blocks, limits.COMMENT, found.get("full report"))
    if args.comment:
        files.write_text(Path(args.comment), comment)
    if args.summary:
        files.write_text(Path(args.summary), limits.fit(report.blocks, limits.SUMMARY, found.get("full report")))
    if args.page:
        files.write_text(Path(args.page), html.render(report))
    if not (args.comment or args.summary or args.page):
        print(comment, end="")


def _base(name: str) -> "tuple[Reader, str]":
    """Read a folder that holds a policy, else a Git revision; and what to call it."""
    from pathlib import Path

    from petpark import layout
    from petpark.build import revisions
    from petpark.errors import DataError
    from petpark.report.change.folder import reader

    if (Path(name) / layout.POLICY).exists():
        return reader(Path(name)), name
    commit = revisions.commit(name)
    if commit is None:
        raise DataError("This repository has no commit yet, so a change has nothing to start from: commit first.")
    known: str = commit
    return lambda path, _: revisions.raw(known, path), known[:12]
