"""The command line: the one place that knows every part. It imports a part only when its command runs."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence

from petpark.cli import build, data, tune
from petpark.errors import PetparkError

_EXAMPLES = """examples:
  petpark predict photo.jpg              what is on it?
  petpark data add ~/photos/november     a new batch, from a folder of `label/photo.jpg`
  petpark gate build                     may this model be merged?

`make run` reproduces the whole pipeline; `petpark COMMAND --help` says more."""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        "petpark",
        description="A repository that is the whole MLOps system for image classification.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    build.add_commands(commands)
    data.add_commands(commands)
    tune.add_commands(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what a person can mend is one sentence on stderr and exit status 2.

    Returns:
        0 where all is well, 1 where a gate says no, 2 where the command could not be carried out.
    """
    args = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file may bear a name that the terminal cannot show
    try:
        status = int(args.run(args) or 0)
        sys.stdout.flush()  # a reader that went away shows here, and not when Python ends
    except PetparkError as error:
        return _complain(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "petpark":
            raise
        return _complain(f"`petpark {args.command}` needs the package '{error.name}': run `make setup` first.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        return _complain(_no_file(error))
    except KeyboardInterrupt:
        return 130
    return status


def _no_file(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space is left on the device: free some and run the same command again; nothing half-written stays."
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error}."


def _complain(sentence: str) -> int:
    print(f"petpark: {sentence}", file=sys.stderr)
    return 2
