"""The BentoML service: what `bentoml build` packs and `bentoml serve` runs.

BentoML's own route from request to method parses before anyone can refuse, fetches URLs that stand in a form, and costs
more than the model. So the service is one ASGI application (petpark.deploy.serving), which stands in its place.
"""

import os
from pathlib import Path
from typing import Any

import bentoml

from petpark.config import serve
from petpark.deploy.serving.service import Service
from petpark.deploy.serving.team import Team


class Direct(bentoml.Service[Any]):  # type: ignore[misc] # BentoML hides its types
    """A BentoML service whose ASGI application is petpark's."""

    def to_asgi(self, is_main: bool = True, team: Team | None = None) -> Service:  # noqa: ARG002 - as BentoML calls it
        """Make the application.

        Args:
            is_main: not looked at: there is one service.
            team: its inference workers, where they were started before.
        """
        settings = serve.read(os.environ)
        return Service(settings, team or Team.gather(settings), Path(__file__).with_name("page"))


@bentoml.service(name="petpark", service_class=Direct, workers=1)
class Petpark:
    """Classifies photos."""
