"""The command line: the one place that knows every part. It imports a part only when its command runs."""

import argparse
import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from petpark.cli import build, bundle, data, predictions, report, serve, tune
from petpark.cli.terminal import printable
from petpark.errors import PetparkError

_EXAMPLES = """examples:
  petpark predict photo.jpg              what is on it?
  petpark data add ~/photos/november     a new batch, from a folder of `label/photo.jpg`
  petpark gate build                     may this model be merged?
  petpark serve                          the page at http://127.0.0.1:3000

`make run` reproduces the whole pipeline; `petpark COMMAND --help` says more.
Exit status: 0 done, 1 a gate says no, 2 it could not be carried out (a sentence says why), 70 a defect of petpark."""

_DEFECT: Final = 70  # EX_SOFTWARE of sysexits.h: Python's own 1 would be taken for a verdict


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
    report.add_commands(commands)
    data.add_commands(commands)
    tune.add_commands(commands)
    bundle.add_commands(commands)
    serve.add_commands(commands)
    predictions.add_commands(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what a person can mend is one sentence on stderr and exit status 2.

    Returns:
        0 where all is well, 1 where a gate says no, 2 where the command could not be carried out, 70 (with a
        traceback) where petpark itself is at fault, 130 after Ctrl-C.
    """
    args = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file may bear a name that the terminal cannot show
    try:
        status = int(args.run(args) or 0)
        sys.stdout.flush()  # a reader that went away shows here, and not when Python ends
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it is, its status must be no verdict
        return _ended(error, args.command)
    return status


def _ended(error: BaseException, command: str) -> int:
    """Say what ended a command, and return its exit status."""
    match error:
        case PetparkError():
            return _complain(str(error))
        case ModuleNotFoundError(name=str(name)) if _is_a_wheel() or not _ours(name):
            return _complain(f"`petpark {command}` needs {_remedy(name)}")
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 2
        case OSError():
            return _complain(_no_file(error))
        case MemoryError():
            return _complain("there is too little memory for this: free some, or run it where there is more.")
        case _:
            traceback.print_exception(error)
            return _DEFECT


def _is_a_wheel() -> bool:
    from petpark import embedded  # here: a model's fingerprint counts the code that was imported, whoever asked for it

    return embedded.carried(embedded.MANIFEST) is not None


def _ours(module: str) -> bool:
    return module.partition(".")[0] == "petpark"


def _remedy(module: str) -> str:
    """Say where a module that is missing can be found."""
    if _is_a_wheel():
        return f"'{module}', which the wheel does not bring: run it in a checkout of the repository."
    return f"the package '{module}': run `make setup` first."


def _no_file(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space is left on the device: free some and run the same command again; nothing half-written stays."
    what = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return f"{what[0].lower()}{what[1:]}, says the system: mend that, and run the same command again."
    return f"{error.filename}: {what}. Mend that, and run the same command again."


def _complain(sentence: str) -> int:
    print(f"petpark: {printable(sentence)}", file=sys.stderr)
    return 2
