"""Repositories to race in: empty ones, copies of this one, clones. Their DVC remote is a folder beside them."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from benchmarks import harness
from petpark import layout

_STORE: Final = Path(".dvc/store")
_CONFIG: Final = """[core]
    analytics = false
    check_update = false
    remote = store
['remote "store"']
    url = {}
"""


def empty(root: Path) -> Path:
    """Make an empty repository."""
    root.mkdir(parents=True)
    git(root, "init", "--quiet")
    dvc(root, "init", "--quiet")
    return _begin(root)


def copy(root: Path) -> Path:
    """Copy the files of this repository that Git knows, as the template gives it."""
    for name in _tracked():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(harness.ROOT / name, root / name)
    git(root, "init", "--quiet")
    return _begin(root)


def _begin(root: Path) -> Path:
    """Put the remote beside the repository, where nothing limits it, and commit."""
    store = root.with_name(f"{root.name}-store")
    shutil.rmtree(store, ignore_errors=True)
    if (root / _STORE).is_dir():
        shutil.move(root / _STORE, store)
    (root / ".dvc" / "config").write_text(_CONFIG.format(store))
    commit(root)
    return root


def batches(root: Path) -> list[str]:
    """Name the batches of a copy."""
    return list(YAML(typ="safe").load(root / layout.PARAMS)["ingest"]["batches"])


def settle(root: Path, settings: dict[str, dict[str, Any]]) -> None:
    """Change settings in a copy's params.yaml, given by section."""
    yaml = YAML()
    params = yaml.load(root / layout.PARAMS)
    for section, values in settings.items():
        params[section].update(values)
    yaml.dump(params, root / layout.PARAMS)


def clone(root: Path, target: Path) -> Path:
    """Clone a repository."""
    git(root, "clone", "--quiet", "--no-hardlinks", ".", str(target.absolute()))
    return target


def commit(root: Path) -> None:
    """Commit all that changed."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "a state")


def git(root: Path, *words: str) -> str:
    """Run Git there."""
    return harness.run(["git", *words], root)


def dvc(root: Path, *words: str) -> str:
    """Run DVC there."""
    return harness.run([sys.executable, "-m", "dvc", *words], root)


def petpark(root: Path, *words: str) -> str:
    """Run petpark there."""
    return harness.run(["petpark", *words], root)


def _tracked() -> Iterator[str]:
    names = git(harness.ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    yield from (name for name in names if name and (harness.ROOT / name).is_file())
