"""The page and its assets: small files, read once, under a policy that lets no other host in."""

import mimetypes
from pathlib import Path
from typing import Final

from petpark.deploy.serving.application import Handler, Route, always
from petpark.deploy.serving.http import Answer

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self)",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Page:
    """The files of a folder: `index.html` at `/`, the others at `/page/NAME`."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []

    def routes(self) -> dict[str, Route]:
        """A route for each file."""
        return {
            "/" if path.name == "index.html" else f"/page/{path.name}": Route(("GET", "HEAD"), _file(path), "page")
            for path in self._files
        }


def _file(path: Path) -> Handler:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return always(Answer(path.read_bytes(), kind, _HEADERS))
