"""Photos that cannot be used, and photos made to do harm: each gets its answer, and the next photo too."""

import contextlib
import json
import random
import socket
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from PIL import Image

from petpark import images
from petpark.classifier import Classifier
from tests.conftest import draw, encoded, jpeg
from tests.deploy import odd_photos
from tests.deploy.memory import resident
from tests.deploy.serving import Running, problem, running

MEGABYTE = 1 << 20
PHOTO = jpeg(draw(1))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, model=str(model), log=f"sqlite:///{folder}/log.db", max_megapixels="9") as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def unharmed(service: Running) -> Iterator[None]:
    """Whatever was sent: no worker was replaced, and nothing but the start was said."""
    before = service.workers()
    yield
    assert service.workers() == before
    assert service.metric("petpark_workers_replaced") == 0
    assert len(service.log().splitlines()) == 1, service.log()[-2000:]


def memory(service: Running) -> int:
    return sum(map(resident, (service.process.pid, *service.workers())))


BAD = {
    "empty": (b"", "empty"),
    "text": (b"Dear Sir or Madam", "not-an-image"),
    "page": (b"<!doctype html><title>404</title>", "not-an-image"),
    "drawing": (b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>', "not-an-image"),
    "archive": (b"PK\x03\x04" + bytes(100), "not-an-image"),
    "film": (b"\x00\x00\x00\x20ftypheic" + bytes(200), "not-an-image"),
    "zeros": (bytes(100_000), "not-an-image"),
    "jpeg alone by its first bytes": (b"\xff\xd8\xff", "not-an-image"),
    "half a jpeg": (PHOTO[: len(PHOTO) // 2], "damaged"),
    "jpeg without its end": (PHOTO[:-2], "damaged"),
    "half a png": (encoded(draw(1), "PNG")[:2000], "damaged"),
    "floating-point numbers": (encoded(Image.new("F", (64, 64)), "TIFF"), "not-an-image"),
    "a pixel": (odd_photos.small(1, 1), "too-small"),
    "narrow": (odd_photos.small(1000, 17), "extreme-shape"),
    "225 megapixels, PNG": (odd_photos.black_png(15_000), "too-many-pixels"),
    "225 megapixels, JPEG": (odd_photos.enlarged_jpeg(15_000), "too-many-pixels"),
    "4,295 megapixels, JPEG": (odd_photos.enlarged_jpeg(65_535), "too-many-pixels"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_photo_that_cannot_be_used_is_refused_with_the_reason(service: Running, name: str) -> None:
    photo, reason = BAD[name]
    assert reason in images.REASONS
    answer = service.predict(photo)
    assert problem(answer) == (422, reason)
    assert len(answer.json()["detail"]) < 300
    explained = service.client.post("/explain", content=photo, headers={"content-type": "image/png"})
    assert problem(explained) == (422, reason)


@pytest.mark.parametrize("name", ["225 megapixels, PNG", "225 megapixels, JPEG", "4,295 megapixels, JPEG"])
def test_too_many_pixels_are_refused_before_they_are_decoded(service: Running, name: str) -> None:
    before = memory(service)
    begin = time.monotonic()
    for _ in range(10):
        assert service.predict(BAD[name][0]).status_code == 422
    assert time.monotonic() - begin < 1
    assert memory(service) - before < 8 * MEGABYTE


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    return odd_photos.bombs(2990)


@pytest.mark.parametrize("name", odd_photos.bombs(16))
def test_as_many_pixels_as_are_allowed_leave_no_memory_behind(
    service: Running, bombs: dict[str, bytes], name: str
) -> None:
    service.predict(bombs[name])
    before = memory(service)
    begin = time.monotonic()
    assert service.predict(bombs[name]).status_code == 200
    assert time.monotonic() - begin < 10
    assert service.predict(PHOTO).status_code == 200
    assert memory(service) - before < 32 * MEGABYTE


@pytest.mark.parametrize("photo", [odd_photos.long_gif(1500), odd_photos.long_webp(10_000)], ids=["gif", "webp"])
def test_of_an_animation_the_first_frame_counts(service: Running, model: Path, photo: bytes) -> None:
    begin = time.monotonic()
    found = service.predict(photo, "image/gif").json()
    assert time.monotonic() - begin < 1
    assert found["probabilities"] == pytest.approx(Classifier(model).predict(photo).probabilities, abs=1e-5)
    assert found["label"] == Classifier(model).predict(encoded(draw(1), "PNG")).label


def test_odd_but_sound_photos_get_what_the_classifier_says(service: Running, model: Path) -> None:
    classifier = Classifier(model)
    for photo in odd_photos.sound():
        found = service.predict(photo)
        assert found.status_code == 200
        assert found.json()["probabilities"] == pytest.approx(classifier.predict(photo).probabilities, abs=1e-5)


def test_a_jpeg_of_a_thousand_scans_is_refused_at_once(service: Running) -> None:
    begin = time.monotonic()
    assert problem(service.predict(odd_photos.many_scans(1000, 1000))) == (422, "damaged")
    assert time.monotonic() - begin < 0.5
    assert service.predict(odd_photos.many_scans(64, 10)).status_code in (200, 422)


def test_a_photo_that_takes_too_long_is_given_up_and_the_next_one_works(tmp_path: Path, model: Path) -> None:
    slow = odd_photos.many_scans(4900, 90)  # some 24 megapixels: more than a second on any core
    with running(tmp_path, model=str(model), photo_seconds="0.4") as service:
        before = service.workers()
        begin = time.monotonic()
        answer = service.predict(slow)
        seconds = time.monotonic() - begin
        assert problem(answer) in [(422, "too-slow"), (503, "worker-lost")]  # the latter on a machine with no time
        assert 0.35 < seconds < 4
        assert service.predict_again(PHOTO).status_code == 200
        assert service.workers() != before
        assert service.metric("petpark_workers_replaced") == 1


def test_real_photos_get_what_the_classifier_says(service: Running, model: Path, test_data: Path) -> None:
    classifier = Classifier(model, max_pixels=9_000_000)
    with tarfile.open(test_data / "data" / "pets-originals.tar") as archive:
        files = [each for each in archive if each.isfile() and "/" in each.name]
        photos = [found.read() for each in files if (found := archive.extractfile(each))]
    assert len(photos) == 170
    for photo in photos:
        answer = service.predict(photo, "application/octet-stream")
        reason = refusal(classifier, photo)
        if reason:
            assert problem(answer) == (422, reason)
        else:
            expected = classifier.predict(photo)
            assert answer.status_code == 200
            assert answer.json()["label"] == expected.label
            assert answer.json()["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def refusal(classifier: Classifier, photo: bytes) -> str:
    """Why the classifier does not take a photo; nothing where it does."""
    try:
        classifier.predict(photo)
    except images.ImageError as error:
        return error.reason
    return ""


@pytest.mark.parametrize("count", [5000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_spoilt_photos_do_no_harm(service: Running, count: int) -> None:
    """Many at a time, on many connections: each is answered 200 or 422 within a second or so, and memory stays."""
    originals = odd_photos.sound()

    def send(seed: int) -> tuple[Counter[str], float]:
        rng, found, longest = random.Random(seed), Counter[str](), 0.0
        with contextlib.closing(HTTPConnection(service.url.removeprefix("http://"), timeout=30)) as client:
            for _ in range(count // 8):
                spoilt = odd_photos.spoilt(rng.choice(originals), rng, originals)
                begin = time.monotonic()
                client.request("POST", "/predict", spoilt, {"content-type": "image/jpeg"})
                answer = client.getresponse()
                told = json.loads(answer.read())
                longest = max(longest, time.monotonic() - begin)
                found[told["reason"] if answer.status == 422 else str(answer.status)] += 1
        return found, longest

    with ThreadPoolExecutor(8) as pool:
        for photo in originals:
            service.predict(photo)
        before = memory(service)
        outcomes = list(pool.map(send, range(8)))
    total = sum((found for found, _ in outcomes), Counter[str]())
    assert total.total() == count // 8 * 8
    assert set(total) <= {"200", *images.REASONS}
    assert min(total["200"], total["damaged"], total["not-an-image"]) > count // 50
    assert max(longest for _, longest in outcomes) < 5
    assert memory(service) - before < 48 * MEGABYTE


def test_a_whole_form_of_bad_files_is_a_problem_and_some_bad_files_are_told_each(service: Running) -> None:
    bad = [("image", (f"{name}.jpg", BAD[name][0])) for name in list(BAD)[1:12]]
    assert problem(service.client.post("/predict", files=bad)) == (422, "not-an-image")
    answer = service.client.post("/predict", files=[*bad, ("image", ("good.jpg", PHOTO)), *bad])
    found = answer.json()["predictions"]
    assert answer.status_code == 200
    assert [each["file"] for each in found if "label" in each] == ["good.jpg"]
    assert [each["problem"]["reason"] for each in found[:11]] == [reason for _, reason in list(BAD.values())[1:12]]
    assert answer.headers["petpark-prediction-id"] == found[11]["id"]


@pytest.mark.parametrize("kind", ["text/plain", "", "application/json", "image", "video/mp4", "multipart/mixed", "*/*"])
@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_a_body_of_another_kind_is_refused(service: Running, path: str, kind: str) -> None:
    answer = service.client.post(path, content=PHOTO, headers={"content-type": kind})
    assert problem(answer) == (415, "media-type")


def test_no_address_in_a_form_is_fetched(service: Running) -> None:
    """A server beside the service notices whoever comes."""
    visits: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            with contextlib.suppress(OSError):
                visits.append(listener.accept())

        thread = threading.Thread(target=listen)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/photo.jpg"
        bad = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="%b"/></svg>' % address.encode()
        assert problem(service.client.post("/predict", data={"image": address}, files={"a": b"b"})) == (422, "no-file")
        assert problem(service.client.post("/predict", files={"image": ("a.jpg", address.encode())}))[0] == 422
        assert problem(service.predict(address.encode()))[0] == 422
        assert problem(service.predict(bad, "image/svg+xml")) == (422, "not-an-image")
        assert service.client.post("/predict", json={"image": address}).status_code == 415
        time.sleep(0.2)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert not visits


def test_names_of_files_come_back_as_json_whatever_they_hold(service: Running) -> None:
    for name in ("a\x01\x1b[31m.jpg", "Größe 🐕.jpg", "x" * 4096, "<script>alert(1)</script>.jpg", "../../a.jpg"):
        answer = service.client.post("/predict", files={"image": (name, PHOTO)})
        found = answer.json()["predictions"][0]["file"]
        assert answer.status_code == 200
        assert len(found) <= 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
