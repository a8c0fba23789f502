"""Run the service by uvicorn, in this process."""

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from petpark.config.serve import ServeSettings
from petpark.deploy.serving.patience import PatientProtocol
from petpark.deploy.serving.service import Service
from petpark.deploy.serving.team import Team
from petpark.errors import SetupError


def serve(bento: Path, listening: socket.socket, settings: ServeSettings, team: Team) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is in work.

    Args:
        bento: folder of the BentoML service: `service.py` with its page.
        listening: where requests come in.
        settings: of the service.
        team: its inference workers.

    Raises:
        SetupError: the folder holds no service.
        ModelError: the model is missing, damaged, or not one that petpark packaged.
    """
    service: Service = load(bento).to_asgi(team=team)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("petpark").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what goes wrong we say ourselves, in one sentence
    address, found = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    server = uvicorn.Server(_config(service, settings))
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again once all is done: it shall end nothing
    try:
        service.announce = f"http://{shown}:{found}"
        server.run(sockets=[listening])
    except SystemExit:  # so uvicorn ends where the service did not start
        raise service.failure or SetupError("the service did not start: its log says more.") from None


def load(bento: Path) -> Any:
    """Load the BentoML service of a folder.

    Raises:
        SetupError: there is none.
    """
    if not (bento / "service.py").is_file():
        raise SetupError(f"{bento} holds no service.py: run this from the repository's root, or name the folder.")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    import bentoml

    return bentoml.load("service:Petpark", working_dir=str(bento.resolve()))


def _config(service: Service, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        service,
        http=PatientProtocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=settings.header_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
