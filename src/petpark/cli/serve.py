"""`petpark serve`."""

import argparse
import os
from pathlib import Path

from petpark.cli.types import Commands

_EXAMPLES = """examples:
  petpark serve                                the page at http://127.0.0.1:3000
  PETPARK_TOKEN=secret petpark serve --host 0.0.0.0
  PETPARK_LOG=postgresql+psycopg://me@db/park petpark serve

Settings are environment variables PETPARK_…: docs/parameters.md lists them. SIGTERM and Ctrl-C let work finish."""


def add_commands(commands: Commands) -> None:
    """Add `serve`."""
    parser = commands.add_parser(
        "serve",
        help="serve the model: page, HTTP API, metrics",
        description="Serve the packaged model over HTTP, with a page to try it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=_port, default=3000, help="0 takes a free one (default: 3000)")
    parser.add_argument(
        "--bento", type=Path, default=Path("bento"), help="folder of the BentoML service (default: bento)"
    )
    parser.set_defaults(run=_serve)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: give a number up to 65535")
    return int(text)


def _serve(args: argparse.Namespace) -> None:
    from petpark.config import serve
    from petpark.deploy.serving.listening import listen
    from petpark.deploy.serving.team import Team

    settings = serve.read(os.environ)
    with listen(args.host, args.port) as listening:
        team = Team.gather(settings)  # its processes start while this one imports what follows
        from petpark.deploy.serving import server

        server.serve(args.bento, listening, settings, team)
