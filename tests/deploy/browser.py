"""The machine's own Chromium, driven by Playwright, with ears for everything that a page must not do."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass
class Sins:
    """What a page did that it must not do."""

    host: str
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen from now on."""
        page.add_init_script(_LISTEN)
        page.on("filechooser", lambda _: None)  # from the start: a chooser that opens before one listens is lost
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):  # answers of 4xx and 5xx
            self.found.append(f"{kind}: {text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).scheme not in ("blob", "data") and urlsplit(url).netloc != self.host:
            self.found.append(f"request: {url}")


@contextmanager
def opened(
    browser: Browser, url: str, before: Callable[[Page], None] = lambda _: None, **context: Any
) -> Iterator[Page]:
    """Open an address in a context of its own, after `before`; at the end the page must not have sinned.

    Asserts:
        no script error, no message of the console, no violation of the content security policy, no other host.
    """
    sins = Sins(urlsplit(url).netloc)
    with browser.new_context(**context) as fresh:
        fresh.set_default_timeout(10_000)
        page = fresh.new_page()
        sins.watch(page)
        before(page)
        page.goto(url)
        yield page
    assert not sins.found, "\n".join(sins.found)


def keep(page: Page, name: str, folder: Path) -> Path:
    """Keep a picture of a page in the folder that PETPARK_SCREENSHOTS names, else in `folder`."""
    path = Path(os.environ.get("PETPARK_SCREENSHOTS") or folder) / f"{name}.png"
    page.screenshot(path=path, full_page=True, animations="disabled")
    return path
