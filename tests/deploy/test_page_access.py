"""The page for everyone: by keyboard, by ear, in the dark, on a phone; and by nobody else's host or script."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.deploy.browser import keep, opened
from tests.deploy.pages import NARROW, WIDE, answered, changed, choose, photos
from tests.deploy.serving import running

ASSETS = Path(__file__).parents[2] / "bento" / "page"
CONTRAST = Path(__file__).with_name("contrast.js").read_text()
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "media-src": "'self' blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
OUTLINE = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return outlineStyle === "solid" && parseFloat(outlineWidth) >= 2;
}"""


def tab(page: Page, name: str, steps: int = 12) -> None:
    """Go on by Tab until the control of this name has the focus, and see that this is seen."""
    control = page.get_by_role("button", name=name).or_(page.get_by_role("combobox", name=name))
    for _ in range(steps):
        page.keyboard.press("Tab")
        assert page.evaluate(OUTLINE), f"the focus is not seen on the way to {name}"
        if control.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{name} is not reached by Tab")


def test_all_of_it_can_be_done_by_keyboard(page: Page, tmp_path: Path) -> None:
    tab(page, "Choose photos")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photos(tmp_path, "ash", "beech"))
    answered(page, "ash")
    expect(page.get_by_role("button", name="Choose photos")).to_be_focused()
    tab(page, "Show all 12 labels")
    page.keyboard.press("Space")
    expect(page.locator("#bars li")).to_have_count(12)
    tab(page, "That was wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Label")).to_be_focused()
    page.keyboard.type("oak")
    tab(page, "Send")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Thank you. Noted as oak.")).to_be_focused()
    tab(page, "1-beech.jpg")
    page.keyboard.press("Space")
    answered(page, "beech")
    expect(page.get_by_role("button", name="1-beech.jpg")).to_be_focused()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_drop_zone_opens_by_key(page: Page, key: str) -> None:
    tab(page, "Choose photos")
    with page.expect_file_chooser():
        page.keyboard.press(key)


def test_a_screen_reader_finds_its_way(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "grey"))
    answered(page, "ash?")
    expect(page.locator("body")).to_match_aria_snapshot("""
      - main:
        - heading "What does this photo show?" [level=1]
        - region "Photo":
          - figure /0-grey.jpg/:
            - img /0-grey.jpg.* not sure/
            - text: /0-grey.jpg/
            - button "Where it looked"
          - button /Choose photos/
          - button "Use the camera"
        - region "Not sure":
          - heading "Not sure" [level=2]
          - paragraph: ash?
          - paragraph: 33.3%
          - paragraph: /Let a person decide/
          - list:
            - listitem: ash 33.3%
            - listitem: beech 33.3%
            - listitem: cedar 33.3%
          - button "Show all 12 labels"
          - button "That was right"
          - button "That was wrong"
        - region "For programs"
        - region "This model"
      - status: "0-grey.jpg: not sure, perhaps ash, 33.3%."
    """)


def test_every_control_and_picture_has_a_name(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "ash", "beech"))
    page.get_by_role("button", name="Where it looked").click()
    expect(page.locator("#heat")).to_be_visible()
    page.get_by_role("button", name="That was wrong").click()
    tree = page.locator("body").aria_snapshot()
    roles = r"^\s*- (?:button|link|img|combobox|heading|region)"
    assert len(re.findall(roles, tree, re.MULTILINE)) > 15
    assert not re.findall(rf"{roles}(?::.*| \[.*)?$", tree, re.MULTILINE)


def test_the_end_of_many_photos_is_announced(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "ash", "beech", "beech"))
    expect(page.get_by_role("status").last).to_have_text("3 photos: 2 beech, 1 ash.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_stands_out_enough(browser: Browser, address: str, tmp_path: Path, scheme: str) -> None:
    with opened(browser, address, viewport=WIDE, color_scheme=scheme, reduced_motion="reduce") as page:
        expect(page.locator("#version")).to_have_text(re.compile("version .+"))
        keep(page, f"empty-{scheme}", tmp_path)
        (tmp_path / "notes.jpg").write_text("no photo")
        seen = [page.evaluate(CONTRAST)]
        choose(page, *photos(tmp_path, "beech", "grey"), tmp_path / "notes.jpg")
        expect(page.locator("#summary")).to_contain_text("1 without an answer")
        for name in ("beech.jpg", "grey.jpg", "notes.jpg"):
            page.get_by_role("button", name=name).click()
            if name == "grey.jpg":
                page.get_by_role("button", name="Where it looked").click()
                expect(page.locator("#heat")).to_be_visible()
                page.get_by_role("button", name="That was wrong").click()
            page.mouse.move(0, 0)
            seen.append(page.evaluate(CONTRAST))
            keep(page, f"{name.partition('.')[0]}-{scheme}", tmp_path)
    assert [each["faint"] for each in seen] == [[]] * 4
    assert min(each["checked"] for each in seen) > 20


def test_the_dark_is_dark_and_the_light_is_light(page: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(map(int, re.findall(r"\d+", ground))))
    assert grounds[0] > 3 * 220
    assert grounds[1] < 3 * 40


def test_nothing_moves_where_motion_is_not_wanted(page: Page, tmp_path: Path) -> None:
    choose(page, *photos(tmp_path, "ash"))
    answered(page, "ash")
    motion = """[...document.querySelectorAll("*")].map((each) => getComputedStyle(each)).filter(
      (style) => style.animationName !== "none" || parseFloat(style.transitionDuration)).length"""
    assert page.evaluate(motion) > 0
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(motion) == 0


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
def test_no_width_scrolls_sideways(browser: Browser, address: str, tmp_path: Path, width: int) -> None:
    long = ["copper-beech-of-the-old-avenue-by-the-lake", "W" * 64]

    def before(page: Page) -> None:
        changed(page, "**/version", lambda card: {**card, "labels": [*card["labels"], *long]})
        shares = {long[0]: 0.6, long[1]: 0.3, "ash": 0.1}
        changed(page, "**/predict", lambda answer: {**answer, "label": long[0], "probabilities": shares})

    with opened(browser, address, before, viewport={**NARROW, "width": width}) as page:
        seen = [page.evaluate("document.documentElement.scrollWidth")]
        choose(page, *photos(tmp_path, "ash", "beech", "grey"))
        answered(page, long[0])
        page.get_by_role("button", name="That was wrong").click()
        seen.append(page.evaluate("document.documentElement.scrollWidth"))
        keep(page, f"long-{width}", tmp_path)
    assert max(seen) <= width


def test_on_a_phone_the_answer_follows_the_photo(browser: Browser, address: str, tmp_path: Path) -> None:
    with opened(browser, address, viewport=NARROW) as page:
        choose(page, *photos(tmp_path, "cedar"))
        page.get_by_role("button", name="Where it looked").click()
        expect(page.locator("#heat")).to_be_visible()
        keep(page, "narrow", tmp_path)
        tops = [page.locator(place).evaluate("e => e.getBoundingClientRect().top") for place in ("#figure", "#answer")]
        assert 0 < tops[0] < tops[1] < NARROW["height"]


def test_the_policy_of_the_page_is_strict(address: str) -> None:
    answer = httpx.get(address)
    directives = filter(None, answer.headers["Content-Security-Policy"].split("; "))
    policy = dict(directive.split(" ", 1) for directive in directives)
    assert policy == POLICY
    assert answer.headers["Permissions-Policy"] == "camera=(self)"


def test_a_browser_asks_for_the_token_by_itself(browser: Browser, model: Path, tmp_path: Path) -> None:
    token = "a-token-of-some-length"
    with running(tmp_path, model=str(model), token=token) as service:
        password = {"username": "anyone", "password": token}
        with opened(browser, service.url, http_credentials=password) as page:
            choose(page, *photos(tmp_path, "ash"))
            answered(page, "ash")


def test_the_page_is_small_and_names_no_other_host() -> None:
    assets = {path.name: path.read_text() for path in ASSETS.iterdir()}
    assert {"index.html", "page.css", "page.js", "icon.svg"} <= assets.keys()
    assert sum(len(text.encode()) for text in assets.values()) < 40_000
    for name, text in assets.items():
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text) == [], name
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script>|innerHTML", text), name


def test_every_asset_that_is_named_is_served(address: str) -> None:
    named = set(re.findall(r'(?:src|href)="(page/[^"]+)"', (ASSETS / "index.html").read_text()))
    for path in ASSETS.glob("*.js"):
        named |= {f"page/{name}" for name in re.findall(r'from "\./([^"]+)"', path.read_text())}
    assert named == {f"page/{path.name}" for path in ASSETS.iterdir() if path.suffix != ".html"}
    assert {name: httpx.get(f"{address}/{name}").status_code for name in named} == dict.fromkeys(named, 200)
