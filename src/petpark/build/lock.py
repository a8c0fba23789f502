"""dvc.lock: is it the result of what is checked out, and the pages that go with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from petpark import files, layout
from petpark.build import repository
from petpark.build.repository import LOCK
from petpark.config.ingest import IngestSettings
from petpark.errors import DataError


def stale() -> str | None:
    """Say why a stage has to run, or None where dvc.lock is fresh.

    `dvc repro --dry --allow-missing` trusts an input that is not there, so the hash of each archive in the directory
    object of data.dvc is compared with the lock as well.

    Raises:
        SetupError: this is no DVC repository.
        DataError: DVC cannot read the pipeline, or the directory object of data.dvc is lost.
    """
    with repository.opened() as repo:
        if not LOCK.exists():
            return f"there is no {LOCK} yet"
        return _changed_stage(repo) or _replaced_archive(repo)


def merge(others: Sequence[Path]) -> list[str]:
    """Bring into dvc.lock what other machines reproduced: each stage whose entry in another lock differs from ours.

    Returns:
        the stages that were brought in.

    Raises:
        DataError: a lock cannot be read, or two of them name different results of one stage.
    """
    ours: dict[str, Any] = _read(LOCK) if LOCK.exists() else {"schema": "2.0", "stages": {}}
    brought: dict[str, Any] = {}
    for path in others:
        for name, stage in _read(path)["stages"].items():
            if stage == ours["stages"].get(name):
                continue
            if brought.setdefault(name, stage) != stage:
                raise DataError(f"{path} names another result of {name} than a lock before it: one run made both?")
    merged = {**ours, "stages": {**ours["stages"], **brought}}
    form = YAML(typ="safe", pure=True)
    form.default_flow_style = False
    form.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # as DVC writes it
    with files.whole(LOCK) as partial:
        form.dump(merged, partial)
    return sorted(brought)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = YAML(typ="safe").load(path)
    except (OSError, YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}).") from None
    if not isinstance(value, dict) or value.get("schema") != "2.0" or not isinstance(value.get("stages"), dict):
        raise DataError(f"{path} is no dvc.lock of DVC 3.")
    return value


def _changed_stage(repo: Any) -> str | None:
    from dvc.exceptions import DvcException, ReproductionError

    try:
        waiting = [stage.addressing for stage in repo.reproduce(dry=True, allow_missing=True)]
    except ReproductionError as error:  # in a fresh clone it ends at the first stage that has to run
        waiting = [str(error).removeprefix("failed to reproduce ").strip("'")]
    except DvcException as error:
        raise DataError(f"DVC cannot tell what has to run: {str(error).splitlines()[0]}.") from None
    return f"has to run: {', '.join(waiting)}" if waiting else None


def _replaced_archive(repo: Any) -> str | None:
    tracked = _tracked(repo)
    for name, stage in _read(LOCK)["stages"].items():
        for dep in stage.get("deps", ()):
            path = dep["path"]
            if Path(path).parent == layout.DATA and tracked.get(path) != dep.get("md5"):
                return f"has to run: {name}, as data.dvc and {LOCK} name different contents of {path}"
    return None


def _tracked(repo: Any) -> dict[str, str | None]:
    """The MD5 of each archive, whether it is here or not."""
    from dvc_data.index import DataIndexDirError

    try:
        entries = repo.dvcfs.ls(str(layout.DATA), detail=True)
    except FileNotFoundError:
        return {}
    except DataIndexDirError:
        raise DataError(
            "The list of archives that data.dvc names is in neither DVC's cache nor its remote: "
            "run `dvc push data.dvc` where the last batch was added."
        ) from None
    return {entry["name"]: entry.get("dvc_info", {}).get("md5") for entry in entries}


def remake_reports(ingest: IngestSettings) -> None:
    """Make the HTML pages of `validate` and `evaluate` again: fetch what they read by name, and run just these two.

    Raises:
        SetupError: DVC could not fetch or run something; it has said what.
    """
    read = [layout.SPLIT, layout.MODEL]
    read += [layout.manifest(batch) for batch in ingest.names()]
    read += [layout.shard(batch) for batch in ingest.names("train")]
    repository.run("pull", *map(str, read))
    repository.run("repro", "--allow-missing", "--force", "--single-item", "validate", "evaluate")
