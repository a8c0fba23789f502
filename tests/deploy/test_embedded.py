"""The application that carries its model: a form in, a page out, all in one process."""

import asyncio
import importlib.util
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import httpx
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import expect
from starlette.applications import Starlette

from petpark import Classifier
from tests import models
from tests.conftest import encoded, jpeg
from tests.deploy.browser import chromium, keep, opened
from tests.deploy.pages import COLOURS, THRESHOLD, TREES

FOLDER = Path(__file__).parents[2] / "deploy" / "embedded"
ASH = jpeg(Image.new("RGB", (96, 64), COLOURS["ash"]))
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def app() -> ModuleType:
    """The application's module, which is in no package."""
    spec = importlib.util.spec_from_file_location("embedded_app", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def application(app: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    """The application, around a model that knows twelve trees and one label that looks like HTML."""
    labels = (*TREES, "<b>yew</b>")
    path = tmp_path_factory.mktemp("embedded") / "model.onnx"
    models.save(path, models.colours(labels), models.card(labels, threshold=THRESHOLD), labels=len(labels))
    made: Starlette = app.application(Classifier(path, threads=1))
    return made


def ask(application: Starlette, method: str, path: str = "/", **request: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.request(method, path, **request)

    return asyncio.run(asked())


def send(application: Starlette, photo: bytes, name: str = "photo.jpg") -> httpx.Response:
    return ask(application, "POST", files={"photo": (name, photo)})


def told(answer: httpx.Response) -> str:
    """The problem that a page tells."""
    found = re.search(r'role="alert">([^<]+)<', answer.text)
    assert found, answer.text
    return found[1]


def test_the_page_is_a_form_without_scripts(application: Starlette) -> None:
    answer = ask(application, "GET")
    assert answer.status_code == 200
    assert '<form method="post" enctype="multipart/form-data">' in answer.text
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert ask(application, "GET", "/style.css").headers["content-type"].startswith("text/css")


def test_a_photo_is_classified_in_the_process(application: Starlette) -> None:
    answer = send(application, ASH)
    assert answer.status_code == 200
    assert "<h2>ash</h2>" in answer.text
    assert re.findall(r"<li><span>(\w+)</span>", answer.text)[0] == "ash"
    assert answer.text.count("<li>") == 5
    assert 'src="data:image/jpeg;base64,' in answer.text


def test_an_unsure_answer_says_so(application: Starlette) -> None:
    answer = send(application, jpeg(Image.new("RGB", (96, 64), COLOURS["grey"])))
    assert re.search("<h2>Not sure: [a-z]+\\?</h2>", answer.text)


def test_names_of_labels_are_not_taken_for_html(application: Starlette) -> None:
    assert "&lt;b&gt;yew&lt;/b&gt;" in ask(application, "GET").text
    assert "<b>" not in ask(application, "GET").text


@pytest.mark.parametrize(
    ("photo", "words"),
    [
        (b"", "no bytes"),
        (b"The camera was being cleaned.", "not a photo"),
        (ASH[: len(ASH) // 2], "cut short or broken"),
        (jpeg(Image.new("RGB", (5200, 5000)), quality=10), "5200 x 5000"),
        (encoded(Image.new("RGB", (8, 8)), "PNG"), "shorter than 16 pixels"),
        (b"http://127.0.0.1:9/photo.jpg", "not a photo"),
    ],
    ids=["empty", "text", "cut", "pixels", "small", "address"],
)
def test_a_file_that_cannot_be_used_gets_a_sentence(application: Starlette, photo: bytes, words: str) -> None:
    answer = send(application, photo)
    assert answer.status_code == 422
    assert words in told(answer)
    assert told(answer).startswith("This file cannot be used: ")


def test_a_form_without_photo_gets_a_sentence(application: Starlette) -> None:
    for form in ({"data": {"photo": "x"}}, {"files": {"other": ("a.jpg", ASH)}}, {"content": ASH}):
        answer = ask(application, "POST", **form)
        assert (answer.status_code, told(answer)) == (400, "Choose a photo first.")


def test_a_form_that_is_broken_gets_a_sentence(application: Starlette) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\nbroken", b"no boundary at all", b""):
        answer = ask(application, "POST", content=body, headers=kind)
        assert answer.status_code == 400
        assert told(answer)


def test_two_photos_at_a_time_get_a_sentence(application: Starlette) -> None:
    answer = ask(application, "POST", files=[("photo", ("a.jpg", ASH)), ("photo", ("b.jpg", ASH))])
    assert answer.status_code == 400
    assert "Too many files" in told(answer)


def test_a_form_that_is_too_large_is_refused_before_it_is_read(application: Starlette) -> None:
    read = []

    async def asked() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            read.append(1)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-length", str(10 * MEBIBYTE + 1).encode())]
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
        await application(scope, receive, send)
        return sent

    assert asyncio.run(asked())[0]["status"] == 413
    assert not read


def test_a_form_of_unknown_length_is_refused(application: Starlette) -> None:
    async def endless() -> Any:
        yield b"--x\r\n"
        pytest.fail("the body was read on")

    answer = ask(application, "POST", content=endless())
    assert answer.status_code == 411


def test_a_form_that_does_not_arrive_is_given_up(
    application: Starlette, app: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MOST_SECONDS", 0.05)

    async def slow() -> Any:
        yield b"--x\r\n"
        await asyncio.sleep(5)

    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "100"}
    answer = ask(application, "POST", content=slow(), headers=headers)
    assert (answer.status_code, told(answer)) == (408, "The photo did not arrive in time: send it again.")


def test_other_addresses_and_methods_are_told_so(application: Starlette) -> None:
    assert ask(application, "GET", "/other").status_code == 404
    assert ask(application, "DELETE").status_code == 405


def test_without_a_wheel_it_ends_with_a_sentence() -> None:
    done = subprocess.run([sys.executable, FOLDER / "app.py"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r"app\.py: This installation of petpark carries no model: .+\.\n", done.stderr)


@pytest.fixture
def served(application: Starlette) -> Iterator[str]:
    """The application's address, while it is served by a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_uses_it(served: str, tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    contrast = Path(__file__).with_name("contrast.js").read_text()
    (tmp_path / "photo.jpg").write_bytes(ASH)
    with chromium() as browser, opened(browser, served, viewport={"width": 360, "height": 740}) as page:
        page.emulate_media(color_scheme=scheme)
        page.get_by_label("Photo").set_input_files(tmp_path / "photo.jpg")
        page.get_by_role("button", name="Classify").press("Enter")
        expect(page.get_by_role("heading", name="ash")).to_be_visible()
        expect(page.get_by_role("img", name="Your photo")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(contrast)["faint"] == []
        keep(page, f"embedded-{scheme}", tmp_path)
