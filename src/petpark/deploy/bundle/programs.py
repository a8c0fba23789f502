"""Other programs: what they say goes to stderr, so that stdout holds our answer alone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from petpark.errors import SetupError

_TOLD: Final = 400


def answer(*command: str) -> str:
    """Run a program that answers in a moment, and return its answer.

    Raises:
        SetupError: it is missing, or it failed, and why.
    """
    done = subprocess.run(found(command), check=False, capture_output=True, text=True)  # noqa: S603 - no shell
    if done.returncode:
        why = " ".join((done.stderr or done.stdout).split())[:_TOLD]
        raise SetupError(f"`{' '.join(command[:2])}` failed: {why or 'it does not say why'}")
    return done.stdout.strip()


def run(*command: str, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
    """Run a program before the user's eyes.

    Args:
        command: the program and its words.
        folder: where it runs.
        settings: environment variables that it gets in addition.

    Raises:
        SetupError: it is missing, or it failed, and has said why.
    """
    environment = {**os.environ, **(settings or {})}
    done = subprocess.run(  # noqa: S603 - no shell
        found(command), check=False, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    if done.returncode:
        raise SetupError(f"`{' '.join(command[:3])}` failed; what it said above tells why.")


def found(command: tuple[str, ...]) -> list[str]:
    """Return a command with the full path of its program.

    Raises:
        SetupError: there is no such program.
    """
    path = shutil.which(command[0])
    if path is None:
        raise SetupError(f"`{command[0]}` is missing, and this needs it: install it, or run `make setup`.")
    return [path, *command[1:]]
