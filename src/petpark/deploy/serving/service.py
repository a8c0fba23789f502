"""The service as a whole: it starts its parts, answers, and ends them."""

import gc
import logging
from http import HTTPStatus
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

from petpark.config.serve import ServeSettings
from petpark.deploy.bundle import manifest
from petpark.deploy.serving import openapi
from petpark.deploy.serving.application import Application, Route, always
from petpark.deploy.serving.guard import RETRY, Guard
from petpark.deploy.serving.handlers import Handlers, Model
from petpark.deploy.serving.http import Answer, Problem, Receive, Request, Scope, Send, as_json
from petpark.deploy.serving.metrics import KIND, Metrics
from petpark.deploy.serving.page import Page
from petpark.deploy.serving.team import Team
from petpark.errors import PetparkError
from petpark.predictionlog.rows import Version
from petpark.predictionlog.writer import Writer

_LOGGER: Final = logging.getLogger("petpark")


class Service:
    """ASGI: what `petpark serve` runs, and what stands inside the BentoML service.

    Args:
        settings: of the service.
        team: its inference workers.
        page: folder of the page.
    """

    def __init__(self, settings: ServeSettings, team: Team, page: Path) -> None:
        self.failure: PetparkError | None = None
        """Why it could not start."""
        self.announce = ""
        """The address to name when it is ready."""
        self._settings, self._team, self._page = settings, team, Page(page)
        self._log: Writer | None = None
        self._application: Application | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the server has: its start and end, or a request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._application is not None:
            await self._application(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except PetparkError as error:
            self.failure = error
            self._end()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        settings = self._settings
        if settings.log:
            self._log = Writer(settings.log, photo_share=settings.photo_share, photo_days=settings.photo_days)
        await self._team.start()
        built = _manifest(self._team.hello)
        model = Model(tuple(built["labels"]), built["threshold"], built["version"], built["model"])
        if self._log is not None:
            self._log.register(_version(built))
        metrics = Metrics(model.labels, model.version, lambda: self._team.workers)
        guard = Guard(settings)
        self._watch(metrics, guard)
        handlers = Handlers(settings, model, self._team, metrics, self._log)
        routes = self._routes(handlers, metrics, built) | self._page.routes()
        self._application = Application(routes, guard, model.version, metrics)
        gc.collect()
        gc.freeze()  # what lives as long as the service need not be looked at again: pauses of 100 ms (facts: BentoML)
        _LOGGER.info("petpark %s, workers: %d. %s", model.version, self._team.size, self.announce)

    def _end(self) -> None:
        self._team.stop()
        if self._log is not None:
            self._log.close()

    def _routes(self, handlers: Handlers, metrics: Metrics, built: dict[str, Any]) -> dict[str, Route]:
        described = openapi.document(built["version"], built["labels"], self._settings)

        async def figures(_: Request) -> Answer:
            return Answer(metrics.text(), KIND)

        post, get = ("POST",), ("GET", "HEAD")
        return {
            "/predict": Route(post, handlers.predict, "predict"),
            "/explain": Route(post, handlers.explain, "explain"),
            "/feedback": Route(post, handlers.feedback, "feedback"),
            "/version": Route(get, always(as_json(built)), "version"),
            "/docs.json": Route(get, always(as_json(described)), "docs"),
            "/metrics": Route(get, figures, "metrics", light=True),
            "/livez": Route(get, self._alive, "health", public=True),
            "/readyz": Route(get, self._ready, "health", public=True),
            "/healthz": Route(get, self._ready, "health", public=True),
        }

    def _watch(self, metrics: Metrics, guard: Guard) -> None:
        team, log = self._team, self._log
        metrics.watch("waiting_photos", "Photos that wait for a worker.", lambda: team.waiting)
        metrics.watch("requests_in_work", "Requests in work.", lambda: guard.in_work)
        metrics.watch("workers_ready", "Inference workers that can take photos.", lambda: team.ready)
        metrics.watch("workers_replaced", "Inference workers that were lost and replaced.", lambda: team.replaced)
        if log is not None:
            metrics.watch("log_waiting", "Predictions not yet in the log's database.", lambda: log.waiting)
            metrics.watch("log_written", "Predictions written to the log.", lambda: log.written)
            metrics.watch("log_dropped", "Predictions that the log lost.", lambda: log.dropped)

    async def _alive(self, _: Request) -> Answer:
        return as_json({"status": "alive"})

    async def _ready(self, _: Request) -> Answer:
        if not self._team.ready:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "No inference worker is ready.", "not-ready", RETRY)
        return as_json({"status": "ready", "workers": self._team.ready})


def _version(built: dict[str, Any]) -> Version:
    """What the prediction log keeps of the build manifest."""
    commit = built["commit"] or ""
    return Version(built["version"], built["model"], tuple(built["labels"]), built["threshold"], commit, built["data"])


def _manifest(hello: dict[str, Any]) -> dict[str, Any]:
    """The build manifest; in a checkout, what is known without a build."""
    built = manifest.carried()
    if built is not None and built.model == hello["model"]:
        return built.model_dump(mode="json", by_alias=True)
    return {"schema": "build/1", "version": f"{installed_version('petpark')}.dev0", "commit": None, **hello}
