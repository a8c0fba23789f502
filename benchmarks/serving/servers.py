"""Servers to measure, each a process of its own on a free port of this machine, on the cores that it is given."""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import harness, memory
from petpark.deploy.serving.processes import usage

TUTORIAL: Final = Path(__file__).with_name("tutorial")
_PATIENCE: Final = 60.0  # seconds, to start and to end
_PAUSE: Final = 0.02


class Server(NamedTuple):
    """A server that answers."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of CPU time that its processes have taken since each began."""
        return sum(usage(pid).cpu_seconds for pid in memory.family(self.pid))

    def own_cpu(self) -> float:
        """The same of its first process alone, to the nanosecond; threads that have ended are left out."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in threads) / 1e9

    def resident(self) -> int:
        """Bytes of memory that its processes hold; pages that they share count for each."""
        return sum(usage(pid).resident_bytes for pid in memory.family(self.pid))

    def text(self, path: str) -> str:
        """What it answers to a GET."""
        with socket.create_connection(("127.0.0.1", self.port), _PATIENCE) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            parts = list(iter(lambda: connection.recv(1 << 16), b""))
        head, _, body = b"".join(parts).decode().partition("\r\n\r\n")
        if head.split()[1] != "200":
            raise ConnectionError(head)
        return body


class Cores(NamedTuple):
    """Where servers and client run."""

    server: list[int]
    client: list[int]

    def __str__(self) -> str:
        if set(self.server) & set(self.client):
            return f"server and client share {len(self.server)} core{'s' * (len(self.server) > 1)}"
        return f"server on {len(self.server)} core{'s' * (len(self.server) > 1)}, client on another"


def cores(wanted: int = 1) -> Cores:
    """Give a server so many cores and its client another one; where there are too few, they share all."""
    there = sorted(os.sched_getaffinity(0))
    return Cores(there[:wanted], there[wanted : wanted + 1]) if len(there) > wanted else Cores(there, there)


@contextmanager
def petpark(folder: Path, model: str, place: Sequence[int], **settings: str) -> Iterator[Server]:
    """`petpark serve`, with one worker and no log unless settings PETPARK_… (named without that) say otherwise."""
    port = _free()
    command = ["petpark", "serve", "--port", str(port), "--bento", str(harness.ROOT / "bento")]
    chosen = {"model": model, "workers": "1", "log": "", **settings}
    variables = {f"PETPARK_{name.upper()}": value for name, value in chosen.items()}
    with _running(command, folder, port, place, variables, "/readyz") as server:
        yield server


@contextmanager
def bento(folder: Path, model: str, place: Sequence[int], threads: int = 0) -> Iterator[Server]:
    """`bentoml serve` with a service as in BentoML's tutorials, in their default settings.

    Args:
        folder: where it runs.
        model: path of the ONNX file.
        place: cores.
        threads: of onnxruntime; 0 leaves it to itself, as the tutorials do.
    """
    code = tutorial(folder / f"bento-{threads}", model)
    if threads:
        service = code / "service.py"
        options = f"options = ort.SessionOptions()\noptions.intra_op_num_threads = {threads}\n"
        text = service.read_text().replace('("model.onnx")', '("model.onnx", options)')
        service.write_text(text.replace("LABELS =", f"{options}LABELS =", 1))
    port = _free()
    command = ["bentoml", "serve", "service:Classifier", "--host", "127.0.0.1", "--port", str(port)]
    variables = {"BENTOML_HOME": str(code / "home"), "BENTOML_DO_NOT_TRACK": "true"}
    with _running(command, code, port, place, variables, "/readyz") as server:
        yield server


def tutorial(folder: Path, model: str) -> Path:
    """Lay the tutorial's service and its model into a new folder, and return that."""
    shutil.copytree(TUTORIAL, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(model, folder / "model.onnx")
    return folder


@contextmanager
def by_hand(folder: Path, model: str, place: Sequence[int], workers: int = 1) -> Iterator[Server]:
    """FastAPI on uvicorn, with so many worker processes on one listening socket."""
    port = _free()
    options = ["--no-access-log", "--loop", "uvloop", "--http", "httptools", "--workers", str(workers)]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.serving.by_hand:app", "--port", str(port), *options]
    with _running(command, folder, port, place, {"MODEL": model}, "/openapi.json") as server:
        _wait(lambda: _said(folder, port).count("Application startup complete") == workers)
        yield server


def _free() -> int:
    """A port that nobody has, and that Linux gives to no client meanwhile: it begins at 32768."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def _running(
    command: Sequence[str], folder: Path, port: int, place: Sequence[int], variables: Mapping[str, str], ready: str
) -> Iterator[Server]:
    """Run a server until the block ends; the block begins when it answers at the path `ready`.

    Raises:
        RuntimeError: it does not start.
    """
    kept = {name: value for name, value in harness.environment().items() if not name.startswith("PETPARK_")}
    here = os.sched_getaffinity(0)
    with _log(folder, port).open("w") as file:
        os.sched_setaffinity(0, place)  # which the processes below inherit
        try:
            process = subprocess.Popen(command, cwd=folder, env={**kept, **variables}, stdout=file, stderr=file)
        finally:
            os.sched_setaffinity(0, here)
    server = Server(process.pid, port)
    try:
        _wait(lambda: process.poll() is not None or _answers(server, ready))
        if process.poll() is not None:
            raise RuntimeError(f"a server does not start:\n{_said(folder, port)[-4000:]}")
        yield server
    finally:
        _end(process)


def _wait(there: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not there():
        if time.monotonic() > end:
            raise RuntimeError(f"a server is not ready after {_PATIENCE:.0f} s")
        time.sleep(_PAUSE)


def _answers(server: Server, path: str) -> bool:
    with suppress(OSError):
        server.text(path)
        return True
    return False


def _log(folder: Path, port: int) -> Path:
    return folder / f"server-{port}.log"


def _said(folder: Path, port: int) -> str:
    return _log(folder, port).read_text()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all processes below it, by their numbers."""
    below = list(memory.family(process.pid))[1:]
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in below:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
