"""The DVC repository that petpark runs in. Its Python API reads; whatever changes something is a `dvc` command."""

import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from petpark import locks
from petpark.errors import SetupError

LOCK: Final = Path("dvc.lock")


@contextmanager
def opened() -> Iterator[Any]:
    """Open the repository through DVC's API, which keeps silent.

    Raises:
        SetupError: this is no DVC repository, or DVC cannot read it.
    """
    quieten()
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo
    except NotDvcRepoError:
        raise SetupError("This is no DVC repository: go to the root of one, or make it one with `dvc init`.") from None
    except DvcException as error:
        raise SetupError(f"DVC cannot read this repository: {one_line(str(error))}") from None


def quieten() -> None:
    """Keep DVC's API silent: what it has to say is in our sentences."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    importlib.import_module("dvc")  # which sets the level
    logging.getLogger("dvc").setLevel(logging.CRITICAL)


def run(*arguments: str) -> None:
    """Run a `dvc` command before the user's eyes.

    Raises:
        SetupError: it failed, and has said why.
    """
    if subprocess.run([sys.executable, "-m", "dvc", *arguments], check=False).returncode:  # noqa: S603 - no shell
        raise SetupError(f"`dvc {arguments[0]}` failed; what it said above tells why.")


def run_silently(*arguments: str) -> None:
    """Run a `dvc` command that undoes what it did where it fails. It keeps our locks where we are killed.

    Raises:
        SetupError: it failed, and why.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(  # noqa: S603 - no shell
        command, check=False, capture_output=True, text=True, pass_fds=locks.held()
    )
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        why = one_line(" ".join(errors) or done.stderr or done.stdout)
        raise SetupError(f"`dvc {' '.join(arguments)}` failed, and everything is as it was: {why}")


def one_line(text: str) -> str:
    """A message of DVC's as part of a sentence."""
    return " ".join(text.split())[:400]
