"""What keeps the service from starting is told in one sentence, within seconds, and the status is 2."""

import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from petpark.config import serve
from petpark.errors import SettingsError
from tests import models
from tests.deploy.serving import command, environment

LIMIT = 30  # seconds, with all of them at a time on two cores


class Ended(NamedTuple):
    status: int
    said: str
    seconds: float


Start = tuple[dict[str, str], list[str], str]  # settings, options, what the sentence names


def _written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def _starts(folder: Path, port: int) -> dict[str, Start]:
    whole = models.save(folder / "whole.onnx", metadata=models.card())
    bare = models.save(folder / "bare.onnx")
    four = models.save(folder / "four.onnx", metadata=models.card(("a", "b", "c", "d")))
    whole_settings = {"PETPARK_MODEL": str(whole)}

    def of(model: Path | str) -> dict[str, str]:
        return {"PETPARK_MODEL": str(model), "PETPARK_WORKERS": "3"}

    return {
        "model missing": (of(folder / "none.onnx"), [], "none.onnx is missing"),
        "model a folder": (of(folder), [], "is no file"),
        "model empty": (of(_written(folder / "empty.onnx", b"")), [], "empty.onnx"),
        "model cut short": (of(_written(folder / "cut.onnx", whole.read_bytes()[:500])), [], "cut.onnx"),
        "model another file": (of(_written(folder / "text.onnx", b"text" * 1000)), [], "text.onnx"),
        "model not petpark's": (of(bare), [], "not packaged by petpark"),
        "model of other labels": (of(four), [], "number of labels"),
        "port taken": (whole_settings, ["--port", str(port)], f"127.0.0.1:{port} cannot be served"),
        "address not ours": (whole_settings, ["--host", "192.0.2.77"], "192.0.2.77:0 cannot be served"),
        "address no name": (whole_settings, ["--host", "a" * 80 + ".example"], "cannot be served"),
        "no service": (whole_settings, ["--bento", "nowhere"], "nowhere holds no service.py"),
        "setting": (whole_settings | {"PETPARK_WORKERS": "many"}, [], "'workers'"),
        "log's address": (whole_settings | {"PETPARK_LOG": "nonsense"}, [], "address of the database"),
        "log's folder": (whole_settings | {"PETPARK_LOG": "sqlite:////proc/none/log.db"}, [], "cannot be written"),
    }


NAMES = [
    "model missing", "model a folder", "model empty", "model cut short", "model another file", "model not petpark's",
    "model of other labels", "port taken", "address not ours", "address no name", "no service", "setting",
    "log's address", "log's folder",
]  # fmt: skip


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Ended, str]]:
    """All starts at a time, for each takes a second or two."""
    folder = tmp_path_factory.mktemp("starts")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        starts = _starts(folder, taken.getsockname()[1])

        def start(name: str) -> Ended:
            settings, options, _ = starts[name]
            begin = time.monotonic()
            done = subprocess.run(
                command(*options),
                check=False,
                cwd=folder,
                env=environment(settings),
                capture_output=True,
                text=True,
                timeout=60,
            )
            return Ended(done.returncode, done.stderr, time.monotonic() - begin)

        with ThreadPoolExecutor(3) as pool:
            outcomes = dict(zip(starts, pool.map(start, starts), strict=True))
    return lambda name: (outcomes[name], starts[name][2])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_told_in_one_sentence(ended: Callable[[str], tuple[Ended, str]], name: str) -> None:
    outcome, told = ended(name)
    assert outcome.status == 2, outcome.said
    assert outcome.said.startswith("petpark: ")
    assert outcome.said.count("\n") == 1, outcome.said
    assert told in outcome.said
    assert outcome.seconds < LIMIT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "-1"), ("WORKERS", "1.5"), ("QUEUE", "x"), ("MAX_BYTES", "1e9"), ("MAX_BYTES", "1"),
        ("MAX_MEGAPIXELS", "nan"), ("MAX_MEGAPIXELS", "0"), ("BODY_SECONDS", "inf"), ("BODY_SECONDS", "-1"),
        ("PHOTO_SECONDS", "0"), ("PHOTO_SHARE", "1.1"), ("PHOTO_DAYS", "0"), ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy"), ("TOKEN", " "), ("TOKEN", "\n"), ("CONNECTIONS", ""),
    ],
)  # fmt: skip
def test_settings_that_are_not_possible_are_errors(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as error:
        serve.read({f"PETPARK_{name}": value})
    assert name.lower() in str(error.value)


def test_a_token_loses_the_end_of_its_line() -> None:
    assert serve.read({"PETPARK_TOKEN": " s3cret \n"}).token == "s3cret"
    assert serve.read({"PETPARK_TOKEN": ""}).token == ""
