"""`dvc repro --pull --allow-missing` in a fresh clone where nothing changed: no photo, no model, a few seconds."""

import shutil
from pathlib import Path
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML

from benchmarks import harness, opened, repository, result

_ROUNDS: Final = 5
_SECONDS: Final = 5.0
_COMMAND: Final = ("repro", "--pull", "--allow-missing")
_STORE: Final = Path(".dvc/store")
_CACHE: Final = Path(".dvc/cache")


class Found(NamedTuple):
    """What one run took, and touched."""

    seconds: float
    touched: list[str]
    """Outputs of stages, and archives, that were read in the store, fetched, or made."""


def run() -> result.Result:
    """Time a run in fresh clones of what is committed here."""
    with harness.scratch("noop") as folder:
        check(harness.ROOT, folder)
        found = harness.alternate({"noop": lambda: look(harness.ROOT, folder)}, harness.rounds(_ROUNDS))["noop"]
    figure = harness.spread([each.seconds for each in found])
    touched = sorted({name for each in found for name in each.touched})
    return result.made(
        "noop",
        figure,
        "s",
        goal=f"≤ {_SECONDS:g} s, no photo and no model read or fetched",
        met=figure.middle <= _SECONDS and not touched,
        limit=f"{_SECONDS:g} s",
        peers={},
        pictures=f"touched: {', '.join(touched) or 'nothing'}",
    )


def check(source: Path, folder: Path) -> None:
    """Refuse to begin where a stage would have to run.

    Raises:
        RuntimeError: what is committed as dvc.lock is not the result of what is committed beside it, and why.
    """
    clone = repository.clone(source, folder / "clone")
    repository.petpark(clone, "lock", "fresh")
    shutil.rmtree(clone)


def look(source: Path, folder: Path) -> Found:
    """Run in a fresh clone, whose cache is empty, and watch its store."""
    clone = repository.clone(source, folder / "clone")
    with opened.watch(clone / _STORE) as seen:
        seconds = harness.seconds(lambda: repository.dvc(clone, *_COMMAND))
    names = objects(clone)
    found = [*seen, *(path for path in (clone / _CACHE).rglob("*") if path.is_file())]
    touched = {names.get(_digest(path), str(path)) for path in found if path.suffix != ".dir"}
    made = {name for name in names.values() if (clone / name).exists()}
    shutil.rmtree(clone)
    return Found(seconds, sorted(touched | made))


def objects(root: Path) -> dict[str, str]:
    """Name, by the MD5 of its object, each file that DVC keeps for dvc.lock (of a folder, its list)."""
    stages: dict[str, Any] = YAML(typ="safe").load(root / "dvc.lock")["stages"]
    items = [item for stage in stages.values() for key in ("deps", "outs") for item in stage.get(key, ())]
    tracked = set(repository.git(root, "ls-files").splitlines())
    kept = [item for item in items if not any(each == item["path"] or _inside(each, item) for each in tracked)]
    return {item["md5"].removesuffix(".dir"): item["path"] for item in kept}


def _inside(name: str, item: dict[str, Any]) -> bool:
    return name.startswith(f"{item['path']}/")


def _digest(path: Path) -> str:
    """Of an object: its folder holds the first two digits."""
    return path.parent.name + path.stem
