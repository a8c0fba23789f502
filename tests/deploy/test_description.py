"""The description of the service (OpenAPI) against the service: schemathesis asks whatever it allows, and what not."""

import re
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.media_types import MEDIA_TYPE_STRATEGIES
from schemathesis.generation import GenerationMode

from petpark.predictionlog.rows import prediction_id
from tests.conftest import draw, encoded
from tests.deploy.serving import Running

PHOTOS = st.sampled_from([encoded(draw(seed), kind) for seed, kind in enumerate(("JPEG", "PNG", "GIF", "WEBP"))])
POSTS = [("POST", "/predict"), ("POST", "/explain"), ("POST", "/feedback")]
GETS = [("GET", path) for path in ("/version", "/metrics", "/docs.json", "/livez", "/readyz", "/healthz")]
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
RUNS = [*((*each, POSITIVE) for each in POSTS + GETS), *((*each, NEGATIVE) for each in POSTS)]


@pytest.fixture(scope="module")
def api(service: Running) -> Iterator[schemathesis.BaseSchema]:
    """The described service; what schemathesis sends as a photo is one."""
    before = dict(MEDIA_TYPE_STRATEGIES)
    for kind in ("image/*", "image/gif", "image/png", "image/jpeg", "application/octet-stream"):
        schemathesis.openapi.media_type(kind, PHOTOS)
    schemathesis.openapi.format("binary", PHOTOS)
    yield schemathesis.openapi.from_url(f"{service.url}/docs.json")
    MEDIA_TYPE_STRATEGIES.clear()
    MEDIA_TYPE_STRATEGIES.update(before)


@pytest.mark.parametrize(("method", "path", "mode"), RUNS)
def test_the_service_is_as_it_is_described(
    api: schemathesis.BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    operation = api[path][method]
    statuses: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
        statuses.add(case.call_and_validate().status_code)

    ask()
    assert mode == NEGATIVE or min(statuses) < 300
    assert max(statuses) < 500


def test_ids_are_as_they_are_described(api: schemathesis.BaseSchema) -> None:
    pattern = api.raw_schema["components"]["schemas"]["Feedback"]["properties"]["id"]["pattern"]
    assert all(re.search(pattern, prediction_id()) for _ in range(100))
