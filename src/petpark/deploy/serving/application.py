"""The service as one ASGI application: routes, and what happens to a request on its way."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, NamedTuple

from petpark.deploy.serving.guard import Guard
from petpark.deploy.serving.http import Answer, Problem, Receive, Request, Scope, Send
from petpark.deploy.serving.metrics import Metrics

_LOGGER: Final = logging.getLogger("petpark")
Handler = Callable[[Request], Awaitable[Answer]]


class Route(NamedTuple):
    """What answers at a path.

    Attributes:
        methods: that are allowed.
        handler: answers.
        name: in the metrics.
        public: needs no token, and holds no place: health.
        light: holds no place: figures, which are looked at when all places are taken.
    """

    methods: tuple[str, ...]
    handler: Handler
    name: str
    public: bool = False
    light: bool = False


def always(answer: Answer) -> Handler:
    """Make a handler that gives the same answer each time."""

    async def handler(_: Request) -> Answer:
        return answer

    return handler


class Application:
    """Routes, guards, problems and metrics around the handlers.

    Args:
        routes: by path.
        guard: decides who may ask.
        version: of what is served, for every answer's header.
        metrics: counts.
    """

    def __init__(self, routes: dict[str, Route], guard: Guard, version: str, metrics: Metrics) -> None:
        self._routes, self._guard, self._metrics = routes, guard, metrics
        self._always = {"Petpark-Version": version, "X-Content-Type-Options": "nosniff"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        begin = time.perf_counter()
        request = Request(scope, receive)
        route = self._routes.get(request.path)
        try:
            answer = await self._answer(route, request)
        except Problem as problem:
            answer = problem.answer()
        except asyncio.CancelledError:
            raise
        except Exception:
            _LOGGER.exception("%s %s failed", request.method, request.path[:200])
            answer = Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "A defect of petpark: its log says more.").answer()
        name = route.name if route else "none"
        self._metrics.request(name, answer.status, time.perf_counter() - begin)
        await answer.send(send, self._always, head=request.method == "HEAD", close=request.unread)

    async def _answer(self, route: Route | None, request: Request) -> Answer:
        if route is None:
            raise Problem(HTTPStatus.NOT_FOUND, "Nothing is here: /docs.json lists what is.", "not-found")
        if not route.public:
            self._guard.authorise(request)
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            raise Problem(
                HTTPStatus.METHOD_NOT_ALLOWED, f"Only {allowed} is possible here.", "method", {"Allow": allowed}
            )
        if route.public or route.light:
            return await route.handler(request)
        with self._guard.admitted(request):
            return await route.handler(request)
