"""The service, asked over HTTP as clients ask it."""

import base64
import io
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from petpark import golden, layout
from petpark.classifier import Classifier
from tests import models
from tests.conftest import draw, encoded, jpeg
from tests.deploy.serving import ROOT, Running, environment, free_port, problem, running

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)


def plain(colour: tuple[int, int, int], width: int = 96, height: int = 64) -> bytes:
    return jpeg(Image.fromarray(np.full((height, width, 3), colour, np.uint8)))


def test_a_photo_as_the_body_gets_what_the_classifier_says(service: Running, model: Path) -> None:
    photo = jpeg(draw(1, width=320, height=240))
    answer = service.predict(photo)
    found = answer.json()
    expected = Classifier(model).predict(photo)
    assert answer.status_code == 200
    assert found["label"] == expected.label
    assert found["unsure"] is expected.unsure
    assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert found["confidence"] == found["probabilities"][found["label"]]


def test_each_answer_names_prediction_and_version_in_body_and_header(service: Running) -> None:
    answer = service.predict(plain(RED))
    assert answer.headers["petpark-prediction-id"] == answer.json()["id"]
    assert answer.headers["petpark-version"] == answer.json()["version"]
    assert answer.json()["version"] == service.client.get("/version").json()["version"]
    assert service.client.get("/nothing").headers["petpark-version"] == answer.json()["version"]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_is_taken_under_any_image_type(service: Running, kind: str) -> None:
    photo = encoded(Image.fromarray(np.full((40, 40, 3), GREEN, np.uint8)), kind)
    assert service.predict(photo, "application/octet-stream").json()["label"] == "beech"
    assert service.predict(photo, "image/anything").json()["label"] == "beech"


def test_a_form_with_several_files_gets_an_answer_for_each(service: Running) -> None:
    sent = [("a.jpg", plain(RED)), ("notes.txt", b"no photo"), ("c.jpg", plain(BLUE))]
    answer = service.client.post("/predict", files=[("image", each) for each in sent])
    first, second, third = answer.json()["predictions"]
    assert answer.status_code == 200
    assert (first["file"], first["label"]) == ("a.jpg", "ash")
    assert (second["file"], second["problem"]["reason"]) == ("notes.txt", "not-an-image")
    assert (third["file"], third["label"]) == ("c.jpg", "cedar")
    assert answer.headers["petpark-prediction-id"] == f"{first['id']},{third['id']}"


def test_a_form_without_a_usable_file_is_a_problem(service: Running) -> None:
    answer = service.client.post("/predict", files={"image": ("notes.txt", b"no photo")})
    assert problem(answer) == (422, "not-an-image")


def test_a_form_keeps_the_order_of_its_files_however_many(service: Running) -> None:
    colours = [RED, GREEN, BLUE] * 8
    answer = service.client.post("/predict", files=[("image", (f"{i}.jpg", plain(c))) for i, c in enumerate(colours)])
    found = answer.json()["predictions"]
    assert [each["file"] for each in found] == [f"{i}.jpg" for i in range(24)]
    assert [each["label"] for each in found] == ["ash", "beech", "cedar"] * 8


def test_an_unsure_answer_says_so(tmp_path: Path) -> None:
    strict = models.save(tmp_path / "model.onnx", metadata=models.card(threshold=1.0))
    with running(tmp_path, model=str(strict)) as service:
        assert service.predict(plain(RED)).json()["unsure"] is True
        assert service.metric("petpark_unsure_total") == 1


def test_an_explanation_shows_where_the_answer_rests(tmp_path: Path) -> None:
    corner = models.save(
        tmp_path / "model.onnx", models.corner(), models.card(("bright", "dark")), labels=2, embedding=1
    )
    half = np.zeros((64, 64, 3), np.uint8)
    half[:32, :32] = 255
    with running(tmp_path, model=str(corner)) as service:
        photo = encoded(Image.fromarray(half), "PNG")
        told = service.client.post("/explain", content=photo, headers={"content-type": "image/png"}).json()
        picture = service.client.post(
            "/explain?label=dark", content=photo, headers={"content-type": "image/png", "accept": "image/png"}
        )
        unknown = service.client.post("/explain?label=x", content=photo, headers={"content-type": "image/png"})
    assert told["label"] == "bright"
    heat = np.asarray(Image.open(io.BytesIO(base64.b64decode(told["heat_map"].partition(",")[2]))).convert("RGB"))
    warmth = heat[..., 0].astype(int) - heat[..., 2]
    assert warmth[:32, :32].mean() > 20 > abs(warmth[40:, 40:].mean())
    assert Image.open(io.BytesIO(picture.content)).format == "PNG"
    assert problem(unknown) == (422, "unknown-label")


def test_feedback_joins_its_prediction_in_the_log(tmp_path: Path, model: Path) -> None:
    photo = plain(RED, 200, 100)
    with running(tmp_path, model=str(model), log=f"sqlite:///{tmp_path}/log.db") as service:
        found = service.predict(photo, **{"petpark-source": "gate-3"}).json()
        answer = service.client.post("/feedback", json={"id": found["id"], "label": "cedar"})
        assert (answer.status_code, answer.json()) == (202, {"id": found["id"], "label": "cedar"})
        assert service.stop() == 0
    with sqlite3.connect(tmp_path / "log.db") as log:
        log.row_factory = sqlite3.Row
        (row,) = log.execute("SELECT * FROM predictions JOIN feedback ON prediction_id = predictions.id").fetchall()
    kept = dict(row)
    assert kept["prediction_id"] == found["id"]
    assert (kept["width"], kept["height"], kept["format"], kept["bytes"]) == (200, 100, "JPEG", len(photo))
    assert sha256(photo).hexdigest() in kept.values()
    assert 0 < kept["brightness"] < 1
    assert np.frombuffer(kept["embedding"], "<f4") == pytest.approx(np.array(RED) / 255, abs=0.02)


def test_photos_are_not_kept_unless_asked_for(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), log=f"sqlite:///{tmp_path}/a.db") as service:
        service.predict(plain(RED))
        service.stop()
    with running(tmp_path, model=str(model), log=f"sqlite:///{tmp_path}/b.db", photo_share="1") as service:
        service.predict(plain(RED))
        service.stop()
    counts = [
        sqlite3.connect(tmp_path / name).execute("SELECT count(*) FROM photos").fetchone() for name in ("a.db", "b.db")
    ]
    assert counts == [(0,), (1,)]


def test_the_build_manifest_tells_what_is_served(service: Running, model: Path) -> None:
    told = service.client.get("/version").json()
    assert told["schema"] == "build/1"
    assert told["labels"] == list(models.LABELS)
    assert told["model"] == sha256(model.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_health_is_told(service: Running, path: str) -> None:
    assert service.client.get(path).status_code == 200
    assert service.client.head(path).content == b""


def test_figures_count_what_was_asked(service: Running) -> None:
    before = {name: service.metric(name) for name in ("petpark_predictions_total", "petpark_refused_photos_total")}
    service.predict(plain(GREEN))
    service.predict(b"no photo")
    assert service.metric("petpark_predictions_total") == before["petpark_predictions_total"] + 1
    assert service.metric("petpark_refused_photos_total") == before["petpark_refused_photos_total"] + 1
    assert service.metric("petpark_worker_resident_bytes") > 1_000_000
    assert service.metric("petpark_workers_ready") == 1
    for name in (
        "process_cpu_seconds_total",
        "petpark_device_cores",
        "petpark_brightness_count",
        "petpark_stage_seconds_count",
    ):
        assert service.metric(name) > 0


def test_the_description_names_every_route(service: Running) -> None:
    described = service.client.get("/docs.json").json()
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == {
        "/predict", "/explain", "/feedback", "/version", "/metrics", "/docs.json", "/livez", "/readyz", "/healthz"
    }  # fmt: skip
    assert described["info"]["version"] == service.client.get("/version").json()["version"]


def test_a_browser_that_was_asked_for_the_token_is_let_in(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), token="s3cret-ü") as service:
        refused = service.client.get("/")
        basic = base64.b64encode("anyone:s3cret-ü".encode()).decode()
        assert problem(refused) == (401, "unauthorized")
        assert "basic" in refused.headers["www-authenticate"].lower()
        assert service.client.get("/", headers={"authorization": f"Basic {basic}"}).status_code == 200
        assert service.predict(plain(RED), authorization=f"Basic {basic}").status_code == 200


def test_the_service_imports_no_torch_and_its_front_no_onnxruntime() -> None:
    def loaded(module: str) -> set[str]:
        code = f"import sys, petpark.deploy.serving.{module}; print(*sys.modules)"
        return {
            *subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
        }

    assert not {"torch", "onnxruntime", "pyarrow", "alembic"} & loaded("server")
    assert not {"torch", "bentoml", "pyarrow", "sqlalchemy", "pydantic"} & loaded("worker")


def test_inference_workers_are_even(tmp_path: Path, model: Path) -> None:
    with running(tmp_path, model=str(model), workers="3") as service:
        for _ in range(30):
            service.predict(plain(RED))
        usage = [
            line for line in service.client.get("/metrics").text.splitlines() if "petpark_worker_photos_total{" in line
        ]
    assert [line.rpartition(" ")[2] for line in usage] == ["10.0", "10.0", "10.0"]


@pytest.fixture
def bentoml_service(tmp_path: Path, model: Path) -> Iterator[httpx.Client]:
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "service:Petpark", "--port", str(port), "--host", "127.0.0.1"]
    variables = environment(
        {"PETPARK_MODEL": str(model), "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "true"}
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT / "bento", env=variables, stdout=log, stderr=log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        for _ in range(600):
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.1)
        yield client
    process.terminate()
    process.wait(30)


def test_bentoml_serves_it_too(bentoml_service: httpx.Client) -> None:
    answer = bentoml_service.post("/predict", content=plain(BLUE), headers={"content-type": "image/jpeg"})
    assert answer.json()["label"] == "cedar"


def test_golden_rows_come_back_through_the_service(tmp_path: Path, shipped: Path) -> None:
    model, rows = shipped / layout.MODEL.name, golden.read(shipped / layout.GOLDEN.name)
    with running(tmp_path, model=str(model)) as service:
        told: list[dict[str, Any]] = [
            service.predict(photo, "application/octet-stream").json() for photo in rows.photos
        ]
    found = np.array([list(each["probabilities"].values()) for each in told])
    assert found == pytest.approx(rows.probabilities, abs=1e-4)


def test_help_gives_examples() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "petpark", "serve", "--help"], check=True, capture_output=True, text=True
    )
    assert "examples:" in done.stdout
    assert re.search(r"SIGTERM", done.stdout)


def test_problems_are_told_as_rfc_9457_has_them(service: Running) -> None:
    answer = service.predict(b"")
    assert problem(answer) == (422, "empty")
    assert json.loads(answer.content)["type"] == "urn:petpark:problem:empty"
