"""Real containers: the image built by the command, and run as it should be run."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from petpark import layout
from tests.deploy.serving import ROOT

TAG: Final = "petpark-test:1.2.0"
CONFINED: Final = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")
_PATIENCE: Final = 60.0


def missing() -> str:
    """Why there can be no container here; empty where there can."""
    if not shutil.which("docker"):
        return "needs Docker: see .ci/run"
    done = subprocess.run(["docker", "version"], check=False, capture_output=True, text=True)
    return f"needs a Docker daemon: {done.stderr.strip()}" if done.returncode else ""


def docker(*words: str) -> str:
    """Run a docker command, and return what it says."""
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Image:
    """An image, and what the command said of it."""

    name: str
    said: dict[str, Any]

    def inspect(self) -> dict[str, Any]:
        (found,) = json.loads(docker("image", "inspect", self.name))
        return dict(found)


def build(checkout: Path, tag: str = TAG) -> Image:
    """Build the container of a checkout by the command, with the wheels that were fetched for this one before."""
    kept = ROOT / layout.SCRATCH / "wheels"
    kept.mkdir(parents=True, exist_ok=True)
    (checkout / layout.SCRATCH).mkdir()
    (checkout / layout.SCRATCH / "wheels").symlink_to(kept)
    command = [sys.executable, "-m", "petpark", "container", "build", "--version", "1.2.0", "--tag", tag]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=checkout, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return Image(tag, json.loads(done.stdout))


class Container:
    """A container that runs; `url` is its address on this machine."""

    def __init__(self, image: Image, *options: str) -> None:
        self.began = time.monotonic()
        self.id = docker("run", "--detach", *CONFINED, "--publish", "127.0.0.1::3000", *options, image.name)
        self.url = f"http://{docker('port', self.id, '3000/tcp').splitlines()[0]}"
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.seconds = self._ready() - self.began

    def predict(self, photo: bytes, kind: str = "image/jpeg") -> httpx.Response:
        return self.client.post("/predict", content=photo, headers={"content-type": kind})

    def run(self, code: str) -> str:
        """Run Python code inside."""
        return docker("exec", self.id, "python", "-c", code)

    def state(self) -> dict[str, Any]:
        (found,) = json.loads(docker("inspect", self.id))
        return dict(found["State"])

    def log(self) -> str:
        done = subprocess.run(["docker", "logs", self.id], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    def _ready(self) -> float:
        while time.monotonic() < self.began + _PATIENCE and self.state()["Running"]:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/readyz").status_code == 200:
                    break
            time.sleep(0.02)
        else:
            raise AssertionError(self.log())
        return time.monotonic()


@contextmanager
def running(image: Image, *options: str) -> Iterator[Container]:
    """Run a container with a volume of its own for its state; both are removed in the end."""
    container = Container(image, *options)
    try:
        yield container
    finally:
        container.client.close()
        docker("rm", "--force", "--volumes", container.id)
