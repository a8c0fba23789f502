"""The page: whole, self-contained, with everything in it, whatever names are like."""

import re
from pathlib import Path

import pytest

from petpark.gate import Verdict
from petpark.report.change import html, links
from petpark.report.change.blocks import Block, Code, Details, Heading, Listing, Small, Strong, Table, Text, line
from petpark.report.change.compose import Report, compose
from petpark.report.text import printable
from tests.report.change.sides import PARAMS, new, old, pair
from tests.report.change.test_markdown import CHART, NASTY
from tests.report.test_page import Page
from tests.test_gate import gain

LINK = links.checked("run", "https://github.com/o/r/actions/runs/1")


def page(tmp_path: Path, **of_head: str) -> str:
    base, head = pair(tmp_path, new(gain(-0.03, -0.04, -0.02)), old(), **of_head)
    return html.render(compose(base, head, links=(LINK,)))


def made(*blocks: Block) -> Page:
    return Page(html.render(Report(Verdict(()), "", (Heading(1, "Title"), *blocks))))


def test_the_page_is_whole_and_loads_and_runs_nothing(tmp_path: Path) -> None:
    markup = page(tmp_path)
    found = Page(markup)
    assert markup == page(tmp_path)
    assert not {"script", "link", "iframe", "img", "object", "form"} & {tag for tag, *_ in found.elements}
    for _, attributes, _ in found.elements:
        assert not [name for name in attributes if name == "src" or name.startswith("on")]
    assert found.all("a") == [{"href": LINK.address, "rel": "noreferrer"}]
    assert re.findall(r"https?:[^\s\"'<]+", markup) == [LINK.address]


def test_the_page_says_what_the_comment_says(tmp_path: Path) -> None:
    text = Page(page(tmp_path, params=PARAMS.replace("16", "20"))).text
    for words in (
        "❌ No, for 1 reason",
        "the model is worse than the champion of 0123456789ab on 440 photos",
        "Accuracy 99.0% → 96.0% : worse , -3.0 points (-4.0 to -2.0), on 440 photos that neither model learned from.",
        "train.epochs 16 → 20",
        "recall gap between labels",
        "judged by the policy of 0123456789ab",
    ):
        assert words in text


def test_a_difference_is_drawn_around_zero_in_the_colour_of_the_news(tmp_path: Path) -> None:
    found = Page(page(tmp_path))
    drawn = [attributes["class"] for attributes in found.all("svg") if attributes["class"].startswith("interval")]
    assert drawn == ["interval bad", *["interval plain"] * 5]
    assert len([each for each in found.all("line") if each["class"] == "reference"]) == 6


def test_curves_are_drawn_in_the_page(tmp_path: Path) -> None:
    kinds = [each["class"] for each in Page(page(tmp_path)).all("polyline")]
    assert kinds == ["curve faint", "curve c1", "curve c2"]


def test_what_is_folded_away_stands_by_itself() -> None:
    found = made(Text(line("a")), Details("More", (CHART, Text(line("b")))), Text(line("c")), Heading(2, "d"))
    assert [attributes["class"] for attributes in found.all("section")] == [
        "card verdict plain",
        "card",
        "card",
        "card",
    ]
    assert found.inside("h1") == ["Title"]
    assert found.inside("h2") == ["d"]
    assert found.inside("summary") == ["More"]


def test_a_long_table_is_whole_up_to_a_thousand_rows() -> None:
    found = made(Table((line("a"),), tuple((line(f"row {number}"),) for number in range(1001))))
    assert len(found.all("tr")) == 1001
    assert "and 1 more" in found.text


@pytest.mark.parametrize("text", NASTY)
def test_a_strangers_text_is_text(text: str) -> None:
    parts = line(text, Code(text), Strong(text), Small(text))
    blocks = (Text(parts), Listing((parts,)), Table((parts,), ((parts, parts),), caption=text), Details(text, ()))
    found, empty = made(*blocks, Heading(2, text)), made(*(_blank(block) for block in blocks), Heading(2, ""))
    assert [tag for tag, *_ in found.elements] == [tag for tag, *_ in empty.elements]
    want = "".join(printable(text).split())
    assert "".join(found.text.split()).count(want or "Title") >= (21 if want else 1)


def _blank(block: Block) -> Block:
    parts = line("", Code(""), Strong(""), Small(""))
    match block:
        case Text():
            return Text(parts)
        case Listing():
            return Listing((parts,))
        case Table():
            return Table((parts,), ((parts, parts),))
        case _:
            return Details("", ())
