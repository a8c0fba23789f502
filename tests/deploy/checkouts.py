"""A checkout of the project's own code, with a model in it: what bundles are built from."""

import os
import shutil
import subprocess
from pathlib import Path

from petpark import layout
from tests import models

ROOT = Path(__file__).parents[2]
BROUGHT = ("src", "bento", "README.md", "LICENSE", "pyproject.toml", ".gitignore")


def make(folder: Path, model: Path | None = None) -> Path:
    """Copy the project there and commit it, always as the same commit.

    The model is a tiny one of three labels, or the one that is named.
    """
    for name in BROUGHT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_embedded"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    if model is None:
        models.save(folder / layout.MODEL, metadata=models.card())
    else:
        (folder / layout.MODELS).mkdir()
        shutil.copy(model, folder / layout.MODEL)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    date = "--date=2026-01-02T03:04:05Z"
    git(folder, "commit", "--quiet", "--message", "all of it", date, committer="2026-01-02T03:04:05Z")
    return folder


def git(folder: Path, *words: str, committer: str = "") -> str:
    """Run a git command in a folder."""
    environment = {**os.environ, **({"GIT_COMMITTER_DATE": committer} if committer else {})}
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()
