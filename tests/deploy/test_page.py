"""The page of the service, in a real browser: photos in by every way, answers out for every sense."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.conftest import encoded
from tests.deploy.browser import keep, opened
from tests.deploy.pages import COLOURS, THRESHOLD, TREES, answered, changed, choose, drag, photos
from tests.deploy.serving import Running

# Every way in


def test_a_photo_that_is_dropped_anywhere_is_answered(page: Page, tmp_path: Path) -> None:
    drag(page, *photos(tmp_path, "beech"))
    answered(page, "beech")
    expect(page.get_by_role("heading", name="The answer")).to_be_visible()
    expect(page.locator("#confidence")).to_have_text(re.compile(r"^(100\.0|>?9\d\.\d)%$"))
    expect(page.locator("#meta")).to_have_text(re.compile(r"Answered in \d+ ms by version \S+\."))
    expect(page.locator("#caption")).to_have_text(re.compile(r"^0-beech\.jpg · 96 . 64 · \d+ bytes$"))


def test_where_a_photo_hovers_the_page_shows_that_it_may_fall(page: Page, tmp_path: Path) -> None:
    drag(page, *photos(tmp_path, "ash"), kinds=("dragEnter", "dragOver"))
    expect(page.locator("body.dragging")).to_be_attached()


def test_a_photo_that_is_pasted_is_answered(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    picture = base64.b64encode(encoded(Image.new("RGB", (64, 64), COLOURS["cedar"]), "PNG")).decode()
    page.evaluate(
        """async (text) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const blob = new Blob([bytes], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        picture,
    )
    page.keyboard.press("Control+V")
    answered(page, "cedar")


def test_an_address_that_is_pasted_is_not_fetched(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('http://127.0.0.1:9/photo.jpg')")
    page.keyboard.press("Control+V")
    expect(page.locator("#notice")).to_contain_text("Addresses are not fetched")


def test_several_photos_give_a_list_and_each_can_be_shown(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("The camera was being cleaned.")
    choose(page, *photos(tmp_path, "ash", "cedar", "cedar", "grey"), tmp_path / "notes.jpg")
    expect(page.locator("#summary")).to_have_text("5 photos: 2 cedar, 1 ash, 1 not sure, 1 without an answer.")
    answered(page, "ash")
    page.get_by_role("button", name="1-cedar.jpg").click()
    answered(page, "cedar")
    expect(page.locator("[aria-current=true]")).to_have_text(re.compile("1-cedar.jpg.*cedar"))
    page.get_by_role("button", name="notes.jpg").click()
    expect(page.get_by_role("heading", name="No answer")).to_be_visible()
    keep(page, "many", tmp_path)


def test_more_photos_join_the_list_until_it_is_cleared(page: Page, tmp_path: Path) -> None:
    one, two = photos(tmp_path, "ash", "beech")
    choose(page, one)
    answered(page, "ash")
    expect(page.locator("#photos")).to_be_hidden()
    choose(page, two)
    answered(page, "beech")
    expect(page.locator("#tiles button")).to_have_count(2)
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator("#photos")).to_be_hidden()
    expect(page.locator("#words")).to_have_text(re.compile("appears here"))


def test_the_camera_gives_one_frame_and_is_switched_off(page: Page, tmp_path: Path) -> None:
    page.context.grant_permissions(["camera"])
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the photo").click()
    expect(page.locator("#caption")).to_have_text(re.compile(r"From the camera · \d+ . \d+"))
    expect(page.locator("#confidence")).to_have_text(re.compile("%"))
    expect(page.locator("#viewfinder")).to_be_hidden()
    assert page.evaluate("document.getElementById('video').srcObject") is None
    expect(page.get_by_role("button", name="Use the camera")).to_be_focused()
    keep(page, "camera", tmp_path)


def test_a_look_through_the_camera_can_be_cancelled(page: Page) -> None:
    page.context.grant_permissions(["camera"])
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the photo")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#viewfinder")).to_be_hidden()
    expect(page.locator("#figure")).to_be_hidden()


def test_a_camera_that_is_not_allowed_is_explained(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator("#notice")).to_contain_text("may not use the camera. Allow it")


def test_a_computer_without_camera_is_told_so(address: str, browser: Browser) -> None:
    with opened(browser, address) as page:
        page.evaluate("""() => {
          navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", "NotFoundError"));
        }""")
        page.get_by_role("button", name="Use the camera").click()
        expect(page.locator("#notice")).to_have_text("No camera was found.")


# What is shown


def test_bars_show_five_labels_the_likeliest_first_and_all_when_asked(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "beech"))
    answered(page, "beech")
    bars = page.locator("#bars li")
    expect(bars).to_have_count(5)
    expect(bars.first).to_contain_text("beech")
    page.get_by_role("button", name="Show all 12 labels").click()
    expect(bars).to_have_count(12)
    assert sorted(page.locator("#bars .name").all_inner_texts()) == sorted(TREES)
    page.get_by_role("button", name="Show the first five").click()
    expect(bars).to_have_count(5)


def test_a_bar_is_as_long_as_its_share(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "grey"))
    answered(page, "ash?")
    page.emulate_media(reduced_motion="reduce")
    shares = [float(text.strip("<>%")) / 100 for text in page.locator("#bars .figure").all_inner_texts()]
    lengths = page.evaluate(
        """[...document.querySelectorAll('#bars .track')].map(
             (track) => track.firstChild.getBoundingClientRect().width / track.getBoundingClientRect().width)"""
    )
    assert lengths == pytest.approx(shares, abs=0.002)
    assert shares[:3] == pytest.approx([1 / 3] * 3, abs=0.01)


def test_an_unsure_answer_says_so_in_words(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "grey"))
    expect(page.get_by_role("heading", name="Not sure")).to_be_visible()
    answered(page, "ash?")
    expect(page.locator("#words")).to_have_text(re.compile(rf"^33\.3% is less than the {THRESHOLD:.1%} at which"))
    expect(page.locator("#announcer")).to_have_text("0-grey.jpg: not sure, perhaps ash, 33.3%.")
    keep(page, "unsure", tmp_path)


def test_the_heat_map_lies_exactly_over_the_photo(page: Page, tmp_path: Path) -> None:
    pixels = np.full((60, 90, 3), COLOURS["beech"], np.uint8)
    pixels[20:40, 50:80] = COLOURS["ash"]
    (tmp_path / "photo.png").write_bytes(encoded(Image.fromarray(pixels), "PNG"))
    choose(page, tmp_path / "photo.png")
    answered(page, "beech")
    look = page.get_by_role("button", name="Where it looked")
    look.click()
    heat = page.get_by_role("img", name="Heat map of where the model looked for beech")
    expect(heat).to_be_visible()
    assert page.evaluate("document.getElementById('heat').naturalWidth") > 0
    assert heat.bounding_box() == page.locator("#photo").bounding_box()
    expect(page.locator("#caption")).to_have_text("Orange speaks for beech, blue against it.")
    keep(page, "heat", tmp_path)
    expect(look).to_have_attribute("aria-pressed", "true")
    look.click()
    expect(heat).to_be_hidden()


def test_the_next_photo_is_looked_into_while_the_heat_map_is_on(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "ash"))
    page.get_by_role("button", name="Where it looked").click()
    expect(page.locator("#heat")).to_be_visible()
    choose(page, *photos(tmp_path, "cedar"))
    expect(page.get_by_role("img", name="Heat map of where the model looked for cedar")).to_be_visible()


def test_the_nearest_training_photos_are_named(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "beech"))
    page.get_by_role("button", name="Where it looked").click()
    rows = page.get_by_role("region", name="Training photos that look most like it").get_by_role("listitem")
    expect(rows).to_have_text([re.compile(r"oak.*a0a0a0a0a0a0.*0\.98"), re.compile(r"elm.*4f4f4f4f4f4f.*0\.1")])


def test_a_model_without_index_names_no_training_photos(page: Page, tmp_path: Path) -> None:
    changed(page, "**/explain*", lambda answer: {**answer, "nearest": []})
    choose(page, *photos(tmp_path, "ash"))
    page.get_by_role("button", name="Where it looked").click()
    expect(page.locator("#nearest")).to_have_text("This version carries no index of its training photos.")


def test_the_answer_can_be_read_as_json(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "ash"))
    answered(page, "ash")
    page.get_by_text("As JSON").click()
    answer = json.loads(page.locator("#json").inner_text())
    assert answer["label"] == "ash"
    assert set(answer["probabilities"]) == set(TREES)


def test_names_are_never_taken_for_html(page: Page, tmp_path: Path) -> None:
    path = photos(tmp_path, "ash")[0].rename(tmp_path / "<img src=x onerror=alert(1)>.jpg")
    choose(page, path, *photos(tmp_path, "beech"))
    answered(page, "ash")
    expect(page.locator("#caption")).to_contain_text("<img src=x onerror=alert(1)>.jpg")
    expect(page.locator("#tiles .name").first).to_have_text("<img src=x onerror=alert(1)>.jpg")


def test_programs_are_told_the_way(page: Page, address: str) -> None:
    line = f'curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" {address}/predict'
    expect(page.locator("#curl")).to_have_text(line)
    for name in ("Every route, as OpenAPI", "Metrics", "Version"):
        link = page.get_by_role("link", name=name).get_attribute("href")
        assert page.request.get(f"{address}/{link}").ok


def test_facts_of_the_model_are_shown_as_far_as_they_are_known(browser: Browser, address: str) -> None:
    def before(page: Page) -> None:
        changed(page, "**/version", lambda manifest: {**manifest, "commit": None, "data": "da7a" * 16})

    with opened(browser, address, before) as page:
        expect(page.locator("#facts dt")).to_have_text(["Labels", "Sure from", "Network", "Data", "Model file"])
        facts = page.locator("#facts dd").all_inner_texts()
        assert facts[:-1] == [f"{', '.join(TREES[:8])} and 4 more", f"{THRESHOLD:.1%}", "colours, 16 px", "da7a" * 3]


# Was it right?


def test_that_was_wrong_tells_the_service_the_right_label(page: Page, tmp_path: Path, arboretum: Running) -> None:
    before = arboretum.metric("petpark_feedback_total")
    choose(page, *photos(tmp_path, "ash"))
    page.get_by_role("button", name="That was wrong").click()
    labels = page.get_by_role("combobox", name="Label")
    assert labels.locator("option").all_inner_texts() == [label for label in TREES if label != "ash"]
    labels.select_option("maple")
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="Send").click()
    assert told.value.status == 202
    assert told.value.json()["label"] == "maple"
    expect(page.get_by_text("Thank you. Noted as maple.")).to_be_focused()
    assert arboretum.metric("petpark_feedback_total") == before + 1


def test_that_was_right_is_told_too(page: Page, tmp_path: Path) -> None:
    with page.expect_response("**/predict") as predicted:
        choose(page, *photos(tmp_path, "cedar"))
    with page.expect_response("**/feedback") as told:
        page.get_by_role("button", name="That was right").click()
    assert told.value.status == 202
    assert told.value.json() == {"id": predicted.value.json()["id"], "label": "cedar"}


def test_few_labels_are_offered_as_buttons(browser: Browser, address: str, tmp_path: Path) -> None:
    few = ["ash", "beech", "cedar"]
    with opened(
        browser, address, lambda page: changed(page, "**/version", lambda card: {**card, "labels": few})
    ) as page:
        choose(page, *photos(tmp_path, "ash"))
        page.get_by_role("button", name="That was wrong").click()
        offered = page.get_by_role("group", name="What does it show?").get_by_role("button")
        expect(offered).to_have_text(["beech", "cedar", "Never mind"])
        keep(page, "wrong", tmp_path)
        page.get_by_role("button", name="Never mind").click()
        expect(page.get_by_role("button", name="That was right")).to_be_focused()
