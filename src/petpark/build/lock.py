"""dvc.lock: is it the result of what is checked out, and the pages that go with it."""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from petpark import layout
from petpark.config.ingest import IngestSettings
from petpark.errors import SetupError

LOCK = Path("dvc.lock")


def stale() -> str | None:
    """Say why a stage has to run, or None where dvc.lock is fresh.

    `dvc repro --dry --allow-missing` trusts an input that is not there, so the hash of each archive in the directory
    object of data.dvc is compared with the lock as well.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with Repo() as repo:
        try:
            waiting = repo.reproduce(dry=True, allow_missing=True)
        except (DvcException, OSError) as error:  # in a fresh clone it ends at the first stage that has to run
            return f"a stage has to run ({str(error).splitlines()[0]})"
        if waiting:
            return "has to run: " + ", ".join(stage.addressing for stage in waiting)
        return _replaced_archive(repo)


def _replaced_archive(repo: Any) -> str | None:
    locked: dict[str, Any] = YAML(typ="safe").load(LOCK).get("stages", {})
    tracked = repo.dvcfs.find(str(layout.DATA), detail=True) if layout.DATA.with_suffix(".dvc").exists() else {}
    found = {Path(path).name: (entry.get("dvc_info") or entry).get("md5") for path, entry in tracked.items()}
    for name, stage in locked.items():
        for dep in stage.get("deps", ()):
            archive = Path(dep["path"])
            if archive.parent == layout.DATA and found.get(archive.name) != dep.get("md5"):
                return f"{name} has to run: data.dvc holds another {archive} than dvc.lock"
    return None


def remake_reports(ingest: IngestSettings) -> None:
    """Make the HTML pages of `validate` and `evaluate` again: fetch what they read by name, and run just these two.

    Raises:
        SetupError: DVC could not fetch or run something; it has said what.
    """
    read = [layout.SPLIT, layout.MODEL]
    read += [layout.manifest(batch) for batch in ingest.names()]
    read += [layout.shard(batch) for batch in ingest.names("train")]
    _dvc(["pull", "--quiet", *map(str, read)])
    _dvc(["repro", "--allow-missing", "--force", "--single-item", "validate", "evaluate"])


def _dvc(arguments: Sequence[str]) -> None:
    if subprocess.run([sys.executable, "-m", "dvc", *arguments], check=False).returncode:  # noqa: S603 - ours, and no shell
        raise SetupError(f"`dvc {arguments[0]}` failed; what it said above tells why.")
