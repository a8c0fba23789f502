"""The container: `bentoml containerize` by our template, on any Docker, and what came of it."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from petpark import layout, locks
from petpark.deploy.bundle import bento, programs, wheel, wheelhouse
from petpark.deploy.bundle.manifest import BuildManifest

TITLE: Final = "petpark"


def from_checkout(
    version: str | None = None, name: str | None = None, model: Path = layout.MODEL
) -> dict[str, str | int]:
    """Build wheel, Bento and container of what is checked out in the current folder.

    Args:
        version: of the build; None makes it one of development, named by its commit.
        name: of the image, as `name:tag`; None makes it that of the Bento.
        model: the packaged file that goes in.

    Returns:
        name, digest, version, commit, model, bento and bytes, for programs to read.

    Raises:
        ModelError: the model is missing, or no file that petpark packaged.
        SetupError: this is no checkout, the version does not fit it, or a program is missing or fails.
    """
    machine = programs.answer("docker", "version", "--format", "{{.Server.Arch}}")
    layout.SCRATCH.mkdir(exist_ok=True)
    with locks.alone(layout.SCRATCH / "container.lock", "builds a container"):
        path, found = wheel.from_checkout(version, model)
        tag = bento.build(found.version, path, wheelhouse.fetch(bento.LOCK, machine))
        return containerize(tag, name or tag, found)


def containerize(tag: str, name: str, found: BuildManifest) -> dict[str, str | int]:
    """Build the image of a Bento.

    Args:
        tag: of the Bento.
        name: of the image, as `name:tag`.
        found: the manifest of what is inside.

    Returns:
        as `from_checkout`.

    Raises:
        SetupError: Docker is missing, or fails.
    """
    words = [f"label={key}={value}" for key, value in labels(found).items()]
    options = [each for word in words for each in ("--opt", word)]
    below = Path(tempfile.gettempdir())  # BentoML copies the template there, and reads nothing above the current folder
    bento.run("containerize", tag, "--image-tag", name, *options, folder=below, DOCKER_BUILDKIT=_buildkit())
    (image,) = json.loads(programs.answer("docker", "image", "inspect", name))
    return {
        "name": name,
        "digest": image["Id"],
        "version": found.version,
        "commit": found.commit,
        "model": found.model,
        "bento": tag,
        "bytes": image["Size"],
    }


def labels(found: BuildManifest) -> dict[str, str]:
    """What an image says of itself."""
    return {
        "org.opencontainers.image.title": TITLE,
        "org.opencontainers.image.version": found.version,
        "org.opencontainers.image.revision": found.commit,
        "petpark.model": found.model,
    }


def _buildkit() -> str:
    """Whether Docker builds by BuildKit: later clients need a plugin for it, and the older builder serves as well."""
    done = subprocess.run(programs.found(("docker", "buildx", "version")), check=False, capture_output=True)  # noqa: S603 - no shell
    return str(int(done.returncode == 0))
