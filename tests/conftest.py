"""What several tests share: a folder of real photos, and photos drawn on the spot."""

import io
import os
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest_plugins = ["tests.services"]

_GIT = {
    "GIT_AUTHOR_NAME": "petpark tests",
    "GIT_AUTHOR_EMAIL": "tests@petpark.invalid",
    "GIT_COMMITTER_NAME": "petpark tests",
    "GIT_COMMITTER_EMAIL": "tests@petpark.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main",
    "GIT_CONFIG_KEY_1": "safe.directory",
    "GIT_CONFIG_VALUE_1": "*",
}
_DVC = {"DVC_NO_ANALYTICS": "1", "DVC_STUDIO_OFFLINE": "1"}


@pytest.fixture(scope="session", autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests apart from the machine's Git and DVC settings, and from the hook or the make that runs them."""
    dvc = tmp_path_factory.mktemp("dvc")
    (dvc / "config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    folders = {f"DVC_{name}": str(dvc) for name in ("SYSTEM_CONFIG_DIR", "GLOBAL_CONFIG_DIR", "SITE_CACHE_DIR")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # stages call `petpark` by its name
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "MAKE", "MFLAGS"))]:
            patch.delenv(name)
        for name, value in {**_GIT, **_DVC, **folders, "PATH": path}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real photos that PETPARK_TEST_DATA names."""
    folder = os.environ.get("PETPARK_TEST_DATA")
    if not folder:
        pytest.skip("needs real photos: set PETPARK_TEST_DATA to their folder")
    return Path(folder)


def draw(seed: int, *, width: int = 96, height: int = 72, tint: tuple[int, int, int] = (90, 140, 200)) -> Image.Image:
    """Draw a smooth picture of its own: no two seeds look alike, and the tint can carry a label."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.float64) * 0.5 + np.array(tint) * 0.5
    return Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """Encode a picture as JPEG."""
    return encoded(image, "JPEG", quality=quality)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encode a picture in any format of Pillow."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pack(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write an archive of `label/name.jpg` members, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
