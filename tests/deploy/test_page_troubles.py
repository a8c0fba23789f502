"""The page when something goes wrong: each trouble is told in a sentence, and what passes by itself is waited for."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.conftest import encoded, jpeg
from tests.deploy.browser import keep, opened
from tests.deploy.pages import COLOURS, answered, choose, drag, photos, problem, refused

MEBIBYTE = 1 << 20


def test_a_file_that_is_no_photo_is_told_so(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("The camera was being cleaned.")
    drag(page, tmp_path / "notes.jpg")
    refused(page, "Not a photo")
    expect(page.locator("#unseen")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("notes.jpg: Not a photo")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    keep(page, "problem", tmp_path)


@pytest.mark.parametrize("share", [0, 0.6])
def test_a_photo_that_is_empty_or_cut_short_is_told_so(page: Page, tmp_path: Path, share: float) -> None:
    whole = jpeg(Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 80, 3), np.uint8)))
    (tmp_path / "photo.jpg").write_bytes(whole[: round(share * len(whole))])
    choose(page, tmp_path / "photo.jpg")
    refused(page, "cut short" if share else "o bytes")


def test_a_folder_is_told_so(page: Page, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    drag(page, tmp_path / "folder")
    refused(page, "Is it a folder")


def test_a_photo_of_too_many_bytes_is_sent_smaller_and_that_is_said(page: Page, tmp_path: Path) -> None:
    pixels = np.full((1500, 2500, 3), COLOURS["beech"], np.uint8)
    path = tmp_path / "photo.bmp"
    path.write_bytes(encoded(Image.fromarray(pixels), "BMP"))
    assert path.stat().st_size > 10 * MEBIBYTE
    with page.expect_request("**/predict") as sent:
        choose(page, path)
    answered(page, "beech")
    assert len(sent.value.post_data_buffer or b"") < MEBIBYTE
    told = r"It has 11\.3 MB, more than the service takes: a smaller copy of 2048 . 1229 pixels was sent\."
    expect(page.locator("#meta")).to_have_text(re.compile(told))
    page.get_by_role("button", name="Where it looked").click()
    expect(page.locator("#heat")).to_be_visible()


def test_a_photo_of_too_many_pixels_is_sent_smaller_and_that_is_said(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(Image.new("RGB", (8000, 7000), COLOURS["cedar"]), quality=20))
    choose(page, path)
    answered(page, "cedar")
    expect(page.locator("#meta")).to_have_text(re.compile(r"a smaller copy of 2048 . 1792 pixels was sent\."))


def test_too_large_and_no_picture_is_told_so(page: Page, tmp_path: Path) -> None:
    (tmp_path / "film.mov").write_bytes(bytes(11 * MEBIBYTE))
    choose(page, tmp_path / "film.mov")
    refused(page, "It has 11.5 MB, more than the service takes, and this browser cannot make a smaller copy of it.")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(page: Page, tmp_path: Path, status: int) -> None:
    asked = []

    def busy_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            return problem(route, status, "too many at once", **{"Retry-After": "1"})
        return route.continue_()

    page.route("**/predict", busy_once)
    choose(page, *photos(tmp_path, "ash"))
    expect(page.locator("#words")).to_have_text("The service is busy. Trying again in 1 s (2 of 4).")
    keep(page, "busy", tmp_path)
    answered(page, "ash")
    assert len(asked) == 2


def test_a_service_that_stays_busy_is_given_up_until_a_person_tries_again(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    waits, asked = ["7", "Thu, 01 Jan 1970 00:00:00 GMT", "99999", "1"], []

    def busy(route: Route) -> None:
        asked.append(route.request.url)
        problem(route, 503, "all workers are busy", **{"Retry-After": waits[len(asked) - 1]})

    def before(page: Page) -> None:
        page.clock.install()
        page.route("**/predict", busy)

    with opened(browser, address, before) as page:
        choose(page, *photos(tmp_path, "ash"))
        for seconds, attempt in ((7, 2), (1, 3), (30, 4)):
            expect(page.locator("#words")).to_have_text(
                f"The service is busy. Trying again in {seconds} s ({attempt} of 4)."
            )
            page.clock.run_for(1000 * seconds)
        refused(page, "All workers are busy.")
        assert len(asked) == 4
        page.unroute("**/predict")
        page.get_by_role("button", name="Try again").click()
        answered(page, "ash")


def test_without_network_a_photo_waits_for_it(page: Page, tmp_path: Path) -> None:
    page.context.set_offline(True)
    choose(page, *photos(tmp_path, "beech"))
    expect(page.locator("#words")).to_contain_text("You are offline.")
    page.context.set_offline(False)
    answered(page, "beech")


def test_a_service_that_is_gone_is_told_so(page: Page, tmp_path: Path) -> None:
    page.route("**/predict", lambda route: route.abort())
    choose(page, *photos(tmp_path, "beech"))
    refused(page, "The service cannot be reached.")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        ("<h1>Bad gateway</h1>", "text/html", 502, "The service answers with status 502."),
        ("", "text/plain", 500, "The service answers with status 500."),
        ('{"title": "token wanted"}', "application/problem+json", 401, "Token wanted."),
        ("<h1>Welcome to this hotel</h1>", "text/html", 200, "an answer that this page cannot read"),
    ],
)
def test_what_is_no_answer_of_the_service_becomes_a_sentence(
    page: Page, tmp_path: Path, body: str, kind: str, status: int, words: str
) -> None:
    page.route("**/predict", lambda route: route.fulfill(status=status, body=body, content_type=kind))
    choose(page, *photos(tmp_path, "ash"))
    refused(page, words)


def test_feedback_that_is_refused_can_be_given_again(page: Page, tmp_path: Path) -> None:
    page.route("**/feedback", lambda route: problem(route, 422, "no such prediction"))
    choose(page, *photos(tmp_path, "ash"))
    page.get_by_role("button", name="That was right").click()
    expect(page.get_by_role("alert")).to_have_text("No such prediction.")
    page.unroute("**/feedback")
    page.get_by_role("button", name="That was right").click()
    expect(page.get_by_text("Thank you. Noted as ash.")).to_be_visible()


def test_a_heat_map_that_fails_is_explained_and_asked_for_again(page: Page, tmp_path: Path) -> None:
    page.route("**/explain*", lambda route: problem(route, 500, "no heat map today"))
    choose(page, *photos(tmp_path, "ash"))
    look = page.get_by_role("button", name="Where it looked")
    look.click()
    expect(page.locator("#nearest")).to_have_text("No heat map today.")
    page.unroute("**/explain*")
    look.click()
    look.click()
    expect(page.locator("#heat")).to_be_visible()


def test_a_page_without_manifest_still_answers(browser: Browser, address: str, tmp_path: Path) -> None:
    def before(page: Page) -> None:
        page.route("**/version", lambda route: problem(route, 500, "no manifest"))

    with opened(browser, address, before) as page:
        expect(page.locator("#notice")).to_have_text("No manifest.")
        choose(page, *photos(tmp_path, "grey"))
        answered(page, "ash?")
        expect(page.locator("#words")).to_have_text("The model is not sure: let a person decide.")
        page.get_by_role("button", name="That was wrong").click()
        expect(page.get_by_role("combobox", name="Label")).to_be_visible()
