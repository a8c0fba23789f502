"""The machine's own Chromium, driven by Playwright, with ears for everything that a page must not do."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_FLAGS = ("--use-fake-device-for-media-stream", "--disable-gpu")
_LISTEN = (
    "addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective + e.blockedURI))"
)


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Give a running Chromium; skip the test where the machine has none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium on the PATH")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_FLAGS, *sandbox, *flags])
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A tab in a context of its own, that listens."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._host = ""
        self._sins: list[str] = []
        page.add_init_script(_LISTEN)
        page.on("filechooser", lambda _: None)  # from the start: a chooser that opens before one listens is lost
        page.on("pageerror", lambda error: self._sins.append(f"error: {error}"))
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("request", lambda request: self._asked(request.url))

    @classmethod
    @contextmanager
    def open(cls, browser: Browser, **context: Any) -> Iterator["Tab"]:
        """Open a tab; the context may say how large it is, how light and so on."""
        with browser.new_context(**context) as fresh:
            fresh.set_default_timeout(10_000)
            yield cls(fresh.new_page())

    @contextmanager
    def visit(self, url: str, before: Callable[[Page], None] = lambda _: None) -> Iterator[Page]:
        """Load an address after `before`, and leave the tab as it was.

        Raises:
            AssertionError: the page met an error, wrote to the console, violated its policy or asked another host.
        """
        self._host = urlsplit(url).netloc
        before(self._page)
        self._page.goto(url)
        yield self._page
        self._page.unroute_all(behavior="ignoreErrors")
        self._page.emulate_media(color_scheme="null", reduced_motion="null")
        self._page.context.clear_permissions()
        self._page.context.set_offline(False)
        sins, self._sins = self._sins, []
        assert not sins, "\n".join(sins)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):  # answers of 4xx and 5xx
            self._sins.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme not in ("blob", "data") and urlsplit(url).netloc != self._host:
            self._sins.append(f"request: {url}")


@contextmanager
def opened(
    browser: Browser, url: str, before: Callable[[Page], None] = lambda _: None, **context: Any
) -> Iterator[Page]:
    """Visit an address in a tab of its own."""
    with Tab.open(browser, **context) as tab, tab.visit(url, before) as page:
        yield page


def keep(page: Page, name: str, folder: Path) -> Path:
    """Keep a picture of a page in the folder that PETPARK_SCREENSHOTS names, else in `folder`."""
    path = Path(os.environ.get("PETPARK_SCREENSHOTS") or folder) / f"{name}.png"
    page.screenshot(path=path, full_page=True, animations="disabled")
    return path
