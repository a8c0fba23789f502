"""What a build is made from: a checkout, its commit, and the version that follows from it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from petpark.deploy.bundle import programs
from petpark.errors import SetupError

PROJECT: Final = Path("pyproject.toml")
_VERSION_LINE: Final = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A commit that is checked out.

    Attributes:
        commit: its full hash.
        time: when it was committed, in seconds since 1970: the one time that a build may hold.
        changed: whether files differ from it.
    """

    commit: str
    time: int
    changed: bool

    def version(self, wanted: str | None = None) -> str:
        """Return the version of a build: the wanted one, else one of development, such as 0.1.0.dev0+g1a2b3c4d5.

        Raises:
            SetupError: a version is wanted for what no commit holds.
        """
        if wanted is None:
            return f"{declared()}.dev0+g{self.commit[:9]}{'.dirty' if self.changed else ''}"
        if self.changed:
            raise SetupError(
                f"Files differ from the commit, and version {wanted} must be what is in it: commit them first "
                "(`git status` shows them), or leave out --version."
            )
        return wanted


def checked_out() -> Source:
    """Look at the current folder's checkout.

    Raises:
        SetupError: it is none, or has no commit.
    """
    commit, time = git("show", "--no-patch", "--format=%H %ct", "HEAD").split()
    return Source(commit, int(time), bool(git("status", "--porcelain")))


def declared() -> str:
    """Return the version that pyproject.toml declares.

    Raises:
        SetupError: it declares none.
    """
    found = _VERSION_LINE.search(_project())
    if not found:
        raise SetupError(f'{PROJECT} has no line `version = "1.2.3"`: give it one.')
    return found[1]


def with_version(version: str) -> str:
    """Return the text of pyproject.toml with another version in it."""
    return _VERSION_LINE.sub(f'version = "{version}"', _project(), count=1)


def tracked(*folders: str) -> list[Path]:
    """Return the files of these folders that are in Git, or would be with the next `git add`, in order.

    Raises:
        SetupError: this is no checkout.
    """
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders).split("\0")
    return sorted(path for path in {Path(name) for name in listed if name} if path.is_file())


def git(*arguments: str) -> str:
    """Run a `git` command that only asks.

    Raises:
        SetupError: git is missing, or cannot tell.
    """
    return programs.answer("git", *arguments)


def _project() -> str:
    try:
        return PROJECT.read_text()
    except FileNotFoundError:
        raise SetupError(f"{PROJECT} is missing: run this from the repository's root.") from None
