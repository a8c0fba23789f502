"""The container that BentoML makes when nobody trims it: what ours is compared with, in size and time to start.

`python -m benchmarks.default_container` builds it; it needs Docker and the package index, and takes a minute or two.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from petpark import layout

IMAGE: Final = "petpark-bench:default"
_HERE: Final = Path(__file__).parent


def build(model: Path = layout.MODEL) -> int:
    """Build it from the tutorial's service and a model; return the image's bytes."""
    with tempfile.TemporaryDirectory(prefix="petpark-bench-") as name:
        tree = Path(name, "tree")
        tree.mkdir()
        shutil.copyfile(_HERE / "tutorial.py", tree / "service.py")
        shutil.copyfile(model, tree / "model.onnx")
        _bentoml(Path(name), tree, "build", "--version", "default")
        _bentoml(Path(name), tree, "containerize", "tutorial:default", "--image-tag", IMAGE)
    size = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Size}}", IMAGE], check=True, capture_output=True, text=True
    )
    return int(size.stdout)


def _bentoml(home: Path, tree: Path, *words: str) -> None:
    plugin = subprocess.run(["docker", "buildx", "version"], check=False, capture_output=True)
    settings = {
        "BENTOML_HOME": str(home / "store"),
        "BENTOML_DO_NOT_TRACK": "true",
        "DOCKER_BUILDKIT": str(int(plugin.returncode == 0)),
    }
    subprocess.run(
        [sys.executable, "-m", "bentoml", *words],
        check=True,
        cwd=tree,
        env={**os.environ, **settings},
        stdout=sys.stderr,
    )


if __name__ == "__main__":
    print(build())
