"""The wheel with the model inside: `pip install` anywhere, then `petpark.Classifier.embedded()`.

It holds what classifies and serves; the stages (`petpark.build`) stay in the repository. The same commit and model give
the same bytes on any machine with the same build system.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from petpark import embedded, files, layout
from petpark.deploy.bundle import manifest, programs, source
from petpark.deploy.bundle.manifest import BuildManifest

FOLDER: Final = Path("dist")
_PACKAGE: Final = Path("src/petpark")
_STAYS: Final = _PACKAGE / "build"
_BESIDE: Final = (Path("README.md"), Path("LICENSE"))
# What is ignored by Git here, the model, is what the wheel is for.
_HATCH: Final = "\n[tool.hatch.build]\nignore-vcs = true\npackages = ['src/petpark']\n"


def build(found: BuildManifest, time: int, model: Path = layout.MODEL, folder: Path = FOLDER) -> Path:
    """Build the wheel of the current folder's checkout.

    Args:
        found: its manifest.
        time: that its files bear, in seconds since 1970.
        model: the packaged file that goes in; the index of photos lies beside it, if there is one.
        folder: where the wheel goes.

    Returns:
        its path.

    Raises:
        SetupError: the build system is missing, or fails.
    """
    with tempfile.TemporaryDirectory(prefix="petpark-wheel-") as name:
        tree, made = Path(name, "tree"), Path(name, "made")
        stage(tree, found, model)
        command = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(made))
        programs.run(*command, folder=tree, settings={"SOURCE_DATE_EPOCH": str(time)})
        (wheel,) = made.glob("*.whl")
        with files.whole(folder / wheel.name) as partial:
            shutil.copyfile(wheel, partial)
    for older in folder.glob("petpark-*.whl"):
        if older.name != wheel.name:
            older.unlink()  # so that `pip install dist/petpark-*.whl` means this one
    return folder / wheel.name


def stage(tree: Path, found: BuildManifest, model: Path) -> None:
    """Lay out what goes into the wheel, and nothing else."""
    for path in (*source.tracked(str(_PACKAGE)), *_BESIDE):
        if not path.is_relative_to(_STAYS):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tree / path)
    (tree / source.PROJECT).write_text(source.with_version(found.version) + _HATCH)
    inside = tree / _PACKAGE / embedded.FOLDER
    inside.mkdir()
    shutil.copyfile(model, inside / embedded.MODEL)
    if (index := model.with_name(embedded.INDEX)).exists():
        shutil.copyfile(index, inside / embedded.INDEX)
    found.write(inside / embedded.MANIFEST)


def describe(wheel: Path, found: BuildManifest) -> dict[str, str | int]:
    """Say what a wheel is, for programs to read."""
    return {
        "wheel": str(wheel),
        "sha256": files.sha256(wheel),
        "bytes": wheel.stat().st_size,
        "version": found.version,
        "commit": found.commit,
        "model": found.model,
    }


def from_checkout(version: str | None = None, model: Path = layout.MODEL) -> tuple[Path, BuildManifest]:
    """Build the wheel of what is checked out in the current folder.

    Args:
        version: of the build; None makes it one of development, named by its commit.
        model: the packaged file that goes in.

    Raises:
        ModelError: the model is missing, or no file that petpark packaged.
        SetupError: this is no checkout, the version does not fit it, or the build system fails.
    """
    here = source.checked_out()
    found = manifest.of(model, here.version(version), here.commit)
    return build(found, here.time, model), found
