"""Commands about batches of photos."""

import argparse
from typing import TYPE_CHECKING

from petpark.cli import audit

if TYPE_CHECKING:
    from petpark.cli.types import Commands


_EXAMPLES = """examples:
  petpark data add ~/photos/november --name park-2026-11
  petpark data add s3://park/frames/november
  petpark data add sqlite:///frames.db --query "SELECT label, photo FROM frames"

docs/sources.md says more about S3 and databases."""


def add_commands(commands: "Commands") -> None:
    """Add the commands of this module."""
    data = commands.add_parser("data", help="add, list and drop batches of photos", description="Batches of photos.")
    actions = data.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    add = actions.add_parser(
        "add",
        help="make a batch of photos: from a folder, a tar, a zip, S3 or a database",
        description="Make a batch of photos, or replace the batch of that name.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument(
        "source",
        help="folder, tar or zip of `label/photo.jpg`; s3://BUCKET/PREFIX of such keys; or a database: sqlite:///FILE, "
        "postgresql://USER@HOST/NAME",
    )
    add.add_argument(
        "--query",
        metavar="SQL",
        help="of a database: a SELECT of `label`, `photo` (bytes) or `location` (file, s3://), and perhaps `name`",
    )
    add.add_argument("--name", help="name of the batch (default: the source's)")
    add.add_argument(
        "--role",
        choices=("train", "acceptance"),
        help="`train` (default) or `acceptance`: a sample of production that no training sees",
    )
    add.set_defaults(run=_add)
    show = actions.add_parser("list", help="list the batches", description="List the batches.")
    show.set_defaults(run=_list)
    drop = actions.add_parser(
        "drop",
        help="take a batch out",
        description="Take batches out; Git history keeps the old versions.",
        epilog="example: petpark data drop sample-1 sample-2",
    )
    drop.add_argument("names", nargs="+", metavar="NAME")
    drop.set_defaults(run=_drop)
    role = actions.add_parser(
        "role",
        help="change what a batch is for",
        description="Make a batch one to train on, or one that releases are accepted on.",
        epilog="example: petpark data role park-2026-11 acceptance",
    )
    role.add_argument("name")
    role.add_argument("role", choices=("train", "acceptance"))
    role.set_defaults(run=_role)
    audit.add_command(actions)


def _add(args: argparse.Namespace) -> None:
    from petpark.build.data import batches

    print(batches.add(args.source, args.name, args.role, args.query))


def _list(_: argparse.Namespace) -> None:
    from petpark.build.data import batches

    print(batches.table())


def _drop(args: argparse.Namespace) -> None:
    from petpark.build.data import batches

    print(batches.drop(args.names))


def _role(args: argparse.Namespace) -> None:
    from petpark.build.data import batches

    print(batches.role(args.name, args.role))
