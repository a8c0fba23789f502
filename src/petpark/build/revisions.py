"""What Git knows of a revision: its commit, and a file as it was then."""

import os
import shutil
import subprocess
from pathlib import Path

from petpark.errors import DataError, SetupError


def commit(revision: str) -> str | None:
    """The commit of a revision, or None where the repository has no commit yet and the revision is its HEAD.

    Raises:
        DataError: no such revision.
        SetupError: Git is missing, or this is no Git repository.
    """
    if revision == "HEAD" and not _git("rev-list", "--max-count=1", "--all"):
        return None
    done = _run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not done.returncode:
        return done.stdout.decode().strip()
    shallow = _git("rev-parse", "--is-shallow-repository").strip() == "true"
    hint = "this clone is shallow, so run `git fetch --unshallow`" if shallow else "`git log` shows those there are"
    raise DataError(f"There is no Git revision '{revision}' to compare with: {hint}.")


def content(commit_id: str, path: Path) -> str | None:
    """A file of this folder as a commit has it, or None where the commit does not have it.

    Raises:
        DataError: Git knows of the file and cannot show it.
        SetupError: Git is missing, or this is no Git repository.
    """
    found = raw(commit_id, path)
    return None if found is None else found.decode("utf-8", "replace")


def raw(commit_id: str, path: Path) -> bytes | None:
    """The same, byte for byte.

    Raises:
        DataError: Git knows of the file and cannot show it.
        SetupError: Git is missing, or this is no Git repository.
    """
    if not _git("ls-tree", "--name-only", commit_id, "--", str(path)):
        return None
    return _bytes("show", f"{commit_id}:./{path}")


def check() -> None:
    """Make sure that this is a Git repository.

    Raises:
        SetupError: Git is missing, or this is no Git repository.
    """
    _git("rev-parse", "--git-dir")


def _git(*arguments: str) -> str:
    return _bytes(*arguments).decode("utf-8", "replace")


def _bytes(*arguments: str) -> bytes:
    done = _run(*arguments)
    if not done.returncode:
        return done.stdout
    why = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
    if "not a git repository" in why:
        raise SetupError("This is no Git repository: go to the root of one, or make it one with `git init`.")
    raise DataError(f"`git {' '.join(arguments)}` failed ({why or 'it does not say why'}): mend that first.")


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    git = shutil.which("git")
    if git is None:
        raise SetupError("Git is missing: install it.")
    plain = {**os.environ, "LC_ALL": "C"}
    return subprocess.run([git, *arguments], capture_output=True, check=False, env=plain)  # noqa: S603 - no shell
