"""The Bento: service, page, petpark's wheel and those of its dependencies in one folder of BentoML's store."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from petpark import layout
from petpark.deploy.bundle import programs, source

FOLDER: Final = Path("bento")
LOCK: Final = FOLDER / "requirements.lock"
STORE: Final = layout.SCRATCH / "bentoml"
NAME: Final = "petpark"


def build(version: str, wheel: Path, wheels: Path) -> str:
    """Build the Bento of the current folder's checkout; the one before it goes.

    Args:
        version: of the build.
        wheel: petpark's.
        wheels: folder of those that it needs.

    Returns:
        its tag, such as petpark:1.2.0.

    Raises:
        SetupError: BentoML is missing, or says that it cannot.
    """
    tag = f"{NAME}:{plain(version)}"
    shutil.rmtree(STORE / "bentos", ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="petpark-bento-") as name:  # BentoML refuses hidden folders
        tree = Path(name)
        for path in source.tracked(str(FOLDER)):
            _link(path, tree / path.relative_to(FOLDER))
        _link(wheel, tree / wheel.name)
        for path in sorted(wheels.iterdir()):
            _link(path, tree / "wheels" / path.name)
        run("build", "--output", "tag", "--version", plain(version), folder=tree)
    return tag


def run(*words: str, folder: Path | None = None, **settings: str) -> None:
    """Run a `bentoml` command on the store, with more environment variables and in another folder where it is given.

    Raises:
        SetupError: BentoML is missing, or has said why it cannot.
    """
    ours = {"BENTOML_HOME": str(STORE.absolute()), "BENTOML_DO_NOT_TRACK": "true", "PYTHONWARNINGS": "ignore"}
    programs.run(sys.executable, "-m", "bentoml", *words, folder=folder, settings={**ours, **settings})


def plain(version: str) -> str:
    """A version as tags have it: without the plus sign."""
    return version.replace("+", "-")


def _link(path: Path, target: Path) -> None:
    """Lay a file there; the wheels are large, so that it is the same file where that can be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
