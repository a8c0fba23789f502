"""The command that looks through the photos."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.cli.types import Commands

_SHOWN = 60


def add_command(actions: "Commands") -> None:
    """Add `petpark data audit`."""
    audit = actions.add_parser(
        "audit",
        help="find wrong labels and photos that do not belong, and propose corrections",
        description="Look through the lake: what is in quarantine and why, labels that are probably wrong, photos that "
        "do not belong. It writes reports/audit.html to look at and reports/corrections.proposed.csv to review, and "
        "changes nothing.",
        epilog="examples: petpark data audit; after a review: petpark data audit --apply",
    )
    what = audit.add_mutually_exclusive_group()
    what.add_argument(
        "--shown",
        type=int,
        default=_SHOWN,
        metavar="N",
        help="photos on each contact sheet at most (default %(default)s)",
    )
    what.add_argument(
        "--apply",
        action="store_true",
        help="look at nothing; add the lines of reports/corrections.proposed.csv, as they stand, to corrections.csv",
    )
    audit.set_defaults(run=_audit)


def _audit(args: argparse.Namespace) -> None:
    if args.apply:
        from petpark.build.audit import proposal

        print(proposal.summary(proposal.apply()))
        return
    from petpark.config.params import load_params

    params = load_params()
    from petpark.build.audit.audit import audit

    print(audit(params.ingest, params.train, max(0, args.shown)))
