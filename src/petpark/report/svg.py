"""The few elements of SVG that charts are made of; every text in them is escaped."""

from collections.abc import Iterable
from itertools import groupby

from markupsafe import Markup


def path(kind: str, places: Iterable[tuple[float, float]], hint: str = "") -> Markup:
    """A line through places (x, y), with a hint for the pointer; neighbours that look the same are drawn once."""
    words = [place for place, _ in groupby(f"{x:.1f},{y:.1f}" for x, y in places)]
    title = Markup("<title>{}</title>").format(hint) if hint else ""
    return Markup('<polyline class="{}" points="{}">{}</polyline>').format(kind, " ".join(words), title)


def shape(name: str, kind: str, hint: str = "", **geometry: float) -> Markup:
    """An element of that name and class, such as a circle, with its places and lengths."""
    places = Markup(" ").join(Markup('{}="{}"').format(key, f"{value:.1f}") for key, value in geometry.items())
    title = Markup("<title>{}</title>").format(hint) if hint else ""
    return Markup('<{0} class="{1}" {2}>{3}</{0}>').format(name, kind, places, title)


def text(x: float, y: float, words: str, anchor: str, kind: str = "tick") -> Markup:
    """Words at a place; `anchor` is start, middle or end."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, words)


def picture(
    kind: str, width: float, height: float, title: str, parts: Iterable[Markup], *, stretch: bool = False
) -> Markup:
    """The whole picture; `title` is its name for who cannot see it, and `stretch` lets it fill any shape."""
    fit = Markup(' preserveAspectRatio="none"') if stretch else ""
    head = Markup('<svg class="{}" viewBox="0 0 {:.0f} {:.0f}"{} role="img"><title>{}</title>')
    return head.format(kind, width, height, fit, title) + Markup("").join(parts) + Markup("</svg>")
