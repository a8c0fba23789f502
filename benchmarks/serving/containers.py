"""Containers to measure: petpark's, and that of the tutorial's service as BentoML makes it if one lets it."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from benchmarks import harness, repository
from benchmarks.serving import servers
from petpark import layout

OURS: Final = "petpark-benchmark:ours"
DEFAULT: Final = "petpark-benchmark:default"
_PORT: Final = 3000
_PATIENCE: Final = 60.0
_PAUSE: Final = 0.02
_PSS: Final = """import pathlib, re, os
for each in pathlib.Path("/proc").glob("[0-9]*/smaps_rollup"):
    if each.parent.name != str(os.getpid()):
        print(re.search(r"^Pss: +([0-9]+) kB", each.read_text(), re.M)[1])
"""


def ours(folder: Path, model: str) -> int:
    """Build petpark's container in a copy of this repository, with the model given; return its bytes."""
    checkout = repository.copy(folder / "checkout")
    (checkout / layout.MODEL).parent.mkdir(exist_ok=True)
    shutil.copy(model, checkout / layout.MODEL)
    wheels = harness.ROOT / layout.SCRATCH / "wheels"  # fetched once, and kept
    wheels.mkdir(parents=True, exist_ok=True)
    (checkout / layout.SCRATCH).mkdir(exist_ok=True)
    (checkout / layout.SCRATCH / "wheels").symlink_to(wheels)
    said = repository.petpark(checkout, "container", "build", "--version", "1.0.0", "--tag", OURS)
    return int(json.loads(said.splitlines()[-1])["bytes"])


def default(folder: Path, model: str) -> int:
    """Build the tutorial's container by BentoML's own recipe; return its bytes."""
    variables = {"BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "true", "DOCKER_BUILDKIT": _buildkit()}
    words = ["env", *(f"{name}={value}" for name, value in variables.items()), "bentoml"]
    with tempfile.TemporaryDirectory(prefix="petpark-benchmark-") as below:  # BentoML refuses hidden folders
        harness.run([*words, "build", "--version", "1"], servers.tutorial(Path(below) / "default", model))
        harness.run([*words, "containerize", "classifier:1", "--image-tag", DEFAULT], Path(below))
    return int(_inspected(DEFAULT)["Size"])


@contextmanager
def running(image: str) -> Iterator[tuple[str, int, float]]:
    """Run a container; yield its id, its port, and the seconds from its start until it is ready.

    Raises:
        RuntimeError: it does not start.
    """
    begin = time.monotonic()
    name = harness.run(["docker", "run", "--detach", "--publish", f"127.0.0.1::{_PORT}", image]).split()[-1]
    try:
        port = int(harness.run(["docker", "port", name, f"{_PORT}/tcp"]).split()[-1].rpartition(":")[2])
        server = servers.Server(int(_inspected(name)["State"]["Pid"]), port)
        while not _ready(server):
            if time.monotonic() > begin + _PATIENCE:
                raise RuntimeError(f"{image} is not ready after {_PATIENCE:.0f} s")
            time.sleep(_PAUSE)
        yield name, port, time.monotonic() - begin
    finally:
        harness.run(["docker", "rm", "--force", "--volumes", name])


def proportional(name: str) -> list[int]:
    """Bytes of each process in a container, pages that processes share divided among them (PSS)."""
    said = harness.run(["docker", "exec", name, "python", "-c", _PSS])
    return [1024 * int(each) for each in said.split()]


def remove() -> None:
    """Remove what was built; Docker keeps what it needs to build it quickly again."""
    for image in (OURS, DEFAULT):
        with suppress(RuntimeError):
            harness.run(["docker", "image", "rm", image])


def _inspected(name: str) -> dict[str, Any]:
    (found,) = json.loads(harness.run(["docker", "inspect", name]))
    return dict(found)


def _ready(server: servers.Server) -> bool:
    with suppress(OSError, IndexError):
        server.text("/readyz")
        return True
    return False


def _buildkit() -> str:
    """Whether Docker has what its later versions need to build by BuildKit."""
    try:
        harness.run(["docker", "buildx", "version"])
    except RuntimeError:
        return "0"
    return "1"
