"""Markdown as a reader sees it: elements, text and code, by a parser that follows CommonMark and knows tables."""

import re

from markdown_it import MarkdownIt

from tests.report.test_page import Page

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
AUTOMATIC = re.compile(r"@\w|#\w|gh-\d|:[\w/+-]|www\.|[0-9a-f]{7}", re.IGNORECASE)
"""What GitHub makes a mention, a reference, an emoji or a link of, unless it is code."""
OURS = {"h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
OURS |= {"strong", "code", "pre", "br", "sub", "details", "summary", "span", "a"}


def page(markdown: str) -> Page:
    """Parse Markdown to HTML, and that to elements; elements that cross are an error."""
    return Page(_PARSER.render(markdown))


def plain(found: Page) -> str:
    """All text on one line, without the gaps that keep it harmless."""
    return " ".join("".join(data for _, data in found.texts).replace("\u200b", "").split())


def automatic(found: Page) -> list[str]:
    """What GitHub would make something of, outside of code."""
    outside = (data for inside, data in found.texts if "code" not in inside)
    return [hit.group() for data in outside for hit in AUTOMATIC.finditer(data)]
