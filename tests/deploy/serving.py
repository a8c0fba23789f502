"""The service as a process of its own, on a free port, for tests."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.services import free_port

__all__ = ["ROOT", "Running", "command", "environment", "free_port", "problem", "running"]
ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 60.0


class Running:
    """A service that runs; `url` is its address."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log
        self.url = self._address()
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def log(self) -> str:
        """What it said."""
        return self._log.read_text()

    def predict(self, photo: bytes, kind: str = "image/jpeg", **headers: str) -> httpx.Response:
        return self.client.post("/predict", content=photo, headers={"content-type": kind, **headers})

    def predict_again(self, photo: bytes, seconds: float = 30) -> httpx.Response:
        """Predict, and do what 503 asks for: try again."""
        end = time.monotonic() + seconds
        while (answer := self.predict(photo)).status_code == 503 and time.monotonic() < end:
            time.sleep(0.05)
        return answer

    def metric(self, name: str) -> float:
        """The sum over all series of a metric; 0 where there is none."""
        lines = self.client.get("/metrics").text.splitlines()
        found = [line.rpartition(" ")[2] for line in lines if re.match(rf"{re.escape(name)}[ {{]", line)]
        return sum(map(float, found))

    def workers(self) -> list[int]:
        """The processes below the service."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        self.client.close()
        self.process.send_signal(how)
        return self.process.wait(_PATIENCE)

    def _address(self) -> str:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if found := re.search(r"http://\S+:\d+", self.log()):
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.process.kill()
        pytest.fail(f"the service does not start: {self.log()[-2000:]}")


def command(*options: str) -> list[str]:
    """The command that serves, on a free port."""
    return [sys.executable, "-m", "petpark", "serve", "--port", "0", "--bento", str(ROOT / "bento"), *options]


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service with no other settings than these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PETPARK_")}
    return {**kept, "PYTHONPATH": f"{ROOT / 'src'}", "PETPARK_LOG": "", "PETPARK_WORKERS": "1", **settings}


def interruptible() -> None:
    """In a new process: Ctrl-C counts, though who runs the tests may ignore it, as a job in the background does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Running]:
    """Run the service in a folder with settings PETPARK_…, named without that."""
    log = folder / "service.log"
    variables = environment({f"PETPARK_{name.upper()}": value for name, value in settings.items()})
    with log.open("wb") as file:
        process = subprocess.Popen(
            command(),
            cwd=folder,
            env=variables,
            stderr=file,
            stdout=file,
            preexec_fn=interruptible,  # noqa: PLW1509 - it calls one function of C
        )
    service = Running(process, log)
    try:
        yield service
    finally:
        service.client.close()
        if process.poll() is None:
            service.stop(signal.SIGKILL)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and reason of an answer that tells a problem, and tells it as RFC 9457 has it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = json.loads(answer.content)
    assert told["status"] == answer.status_code
    assert told["title"]
    assert told["detail"]
    return answer.status_code, told.get("reason", "")
