"""What a person does with the page of the service, and what the service may be made to answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.conftest import jpeg

TREES: Final = ("ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "spruce", "willow")
THRESHOLD: Final = 0.9
COLOURS: Final = {"ash": (230, 30, 30), "beech": (30, 230, 30), "cedar": (30, 30, 230), "grey": (128, 128, 128)}
WIDE: Final = {"width": 1440, "height": 900}
NARROW: Final = {"width": 360, "height": 740}


def photos(folder: Path, *names: str) -> list[Path]:
    """Make photos `0-ash.jpg`, `1-beech.jpg` ...: one of each colour that is named."""
    paths = [folder / f"{place}-{name}.jpg" for place, name in enumerate(names)]
    for path, name in zip(paths, names, strict=True):
        path.write_bytes(jpeg(Image.new("RGB", (96, 64), COLOURS[name])))
    return paths


def choose(page: Page, *paths: Path) -> None:
    """Choose files by the button."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(paths)


def drag(page: Page, *paths: Path, kinds: tuple[str, ...] = ("dragEnter", "dragOver", "drop")) -> None:
    """Drag files over the page, and drop them: through the browser's own drag and drop."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in kinds:
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 40, "y": 40, "data": data})


def answered(page: Page, label: str) -> None:
    """Wait for an answer."""
    expect(page.locator("#label")).to_have_text(label)


def refused(page: Page, words: str) -> None:
    """Wait for a problem, told in a sentence that holds these words."""
    expect(page.get_by_role("heading", name="No answer")).to_be_visible()
    expect(page.locator("#words")).to_contain_text(words)


def changed(page: Page, pattern: str, change: Callable[[Any], Any]) -> None:
    """Let the service answer, and change what it says in JSON."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=change(response.json()))

    page.route(pattern, answer)


def problem(route: Route, status: int, detail: str, **headers: str) -> None:
    """Answer a problem in the service's place."""
    body = {"type": "about:blank", "title": "No", "status": status, "detail": detail}
    route.fulfill(status=status, json=body, headers={"Content-Type": "application/problem+json", **headers})
