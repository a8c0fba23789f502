"""Commands that build what is delivered: the wheel with the model inside, the Bento and its container."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.cli.types import Commands

_VERSION = "version of the build, such as 1.2.0 (default: one of development, named by the commit)"


def add_commands(commands: "Commands") -> None:
    """Add the commands of this module."""
    wheel = commands.add_parser(
        "wheel", help="the wheel with the model inside", description="The wheel with the model inside."
    )
    actions = wheel.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="build it into dist/",
        description="Build the wheel into dist/; prints its path, size and contents as JSON.",
        epilog="example: petpark wheel build --version 1.2.0",
    )
    build.add_argument("--version", help=_VERSION)
    build.set_defaults(run=_wheel)
    container = commands.add_parser(
        "container", help="the container of the service", description="The container of the service."
    )
    actions = container.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    build = actions.add_parser(
        "build",
        help="build it, from the wheel and a Bento",
        description="Build the wheel, a Bento around it and its container; prints name, digest and contents as JSON.",
        epilog="example: petpark container build --version 1.2.0 --tag petpark:1.2.0",
    )
    build.add_argument("--version", help=_VERSION)
    build.add_argument("--tag", metavar="NAME:TAG", help="of the image (default: petpark:VERSION)")
    build.set_defaults(run=_container)


def _wheel(args: argparse.Namespace) -> None:
    import json

    from petpark.deploy.bundle import wheel

    path, found = wheel.from_checkout(args.version)
    print(json.dumps(wheel.describe(path, found)))


def _container(args: argparse.Namespace) -> None:
    import json

    from petpark.deploy.bundle import container

    print(json.dumps(container.from_checkout(args.version, args.tag)))
