"""Markdown: whatever others wrote is text, and what is ours is shown as GitHub shows it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petpark.evidence.core import Estimate
from petpark.report.change import markdown
from petpark.report.change.blocks import (
    Block,
    Chart,
    Code,
    Details,
    Heading,
    Link,
    Listing,
    Range,
    Series,
    Small,
    Strong,
    Table,
    Text,
    line,
)
from petpark.report.text import printable
from tests.report.change import rendered
from tests.report.made import HOSTILE
from tests.report.test_page import Page

NASTY = (
    *HOSTILE,
    "@octocat and @org/team, a@b.example",
    "#1, GH-2, gh-3, owner/repo#4, owner/repo@0123456789abcdef",
    "0123456789abcdef0123456789abcdef01234567",
    "https://github.com/o/r/issues/1 www.evil.example _www.evil.example ftp://e.e mailto:a@b.c",
    "[a](https://e.e) ![a](https://e.e/x.png) [a]: https://e.e",
    "**a** _b_ ~~c~~ `d` ``e` f``",
    "a|b\\|c\\\\|d",
    "`|`|`",
    "\\`a`",
    "```mermaid\ngraph TD; click A 'javascript:x'\n```",
    "%%{init: {}}%%",
    "</details></table><!-- petpark: report of the pull request -->",
    "$x$ $$y$$ $`z`$",
    "- a",
    "1. a",
    "1)",
    "# a #",
    "> a",
    "---",
    "===",
    "[ ] a",
    ":tada: :+1:",
    "&lt;b&gt; &#64;octocat &commat;octocat",
    "line\nbreak\r\n\u2028x\x00\x1b[31m\u202eevil\u200b@x",
    "   ",
    "",
)
SIGNS = """@a #1 GH-1 https:// www.a.b a@b.c ` ``` \\ | [ ] ( ) ![ <b> </b> <!-- --> &amp;
* ** _ ~~ $ - + 1. # > --- = : :a: ! x 0123456789abcdef é \u202e \u200b"""
PIECES = st.one_of(st.sampled_from(SIGNS.split()), st.sampled_from(" \n\t"))
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def harmless(block: Block, text: str) -> Page:
    """Render a block, and see that nothing but our own elements came out, and no code but what is ours."""
    found = rendered.page(markdown.render([block]))
    assert {tag for tag, *_ in found.elements} <= rendered.OURS - {"a"}, text
    assert not [attributes for _, attributes, _ in found.elements if attributes.keys() - {"style"}], text
    assert not rendered.automatic(found), text
    return found


def everywhere(text: str) -> None:
    """A text reads as it is wherever it may stand."""
    want = " ".join(printable(text).split())
    for block in (Text(line(text)), Listing((line(text),)), Heading(2, text), Text(line(Strong("a"), f" {text}"))):
        found = rendered.plain(harmless(block, text))
        assert found in (want, f"a {want}".strip()) or isinstance(block, Heading), text
    cells = (line(text), line(Code(text)), line("z", Small(text)))
    table = harmless(Table((line("p"), line("q"), line("r")), (cells, cells)), text)
    assert len(table.all("td")) == 6, text
    assert rendered.plain(table).replace(" ", "") == "pqr" + 2 * f"{want}{want}z{want}".replace(" ", ""), text
    folded = harmless(Details("title", (Text(line(Code(text))),)), text)
    assert rendered.plain(folded).removeprefix("title").strip() == want, text


@pytest.mark.parametrize("text", NASTY)
def test_a_strangers_text_is_text(text: str) -> None:
    everywhere(text)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_whatever_signs_come_together_they_are_text(text: str) -> None:
    everywhere(text)


def test_a_dollar_is_written_as_github_wants_it_where_a_formula_could_begin() -> None:
    assert markdown.escaped("$x$") == "<span>$</span>x<span>$</span>"


def test_ordinary_sentences_stay_as_they_are() -> None:
    for text in (
        "accuracy 97.3% (95.8% to 98.7%)",
        "+0.4 points, -1.2 to +2.0; wanted: 0.87",
        "5.5% too rarely: run it.",
    ):
        assert markdown.escaped(text) == text


def test_a_name_stands_between_backticks_and_an_odd_one_between_tags() -> None:
    assert markdown.render([Text(line(Code("train.epochs"), " → ", Code("a|b")))]) == (
        "`train.epochs` → <code>a&#124;b</code>\n"
    )


def test_blocks_are_written_as_markdown() -> None:
    blocks: list[Block] = [
        Heading(1, "Yes"),
        Text(line("before ", Strong("bold"), ", after")),
        Listing((line("one"), line("two"))),
        Table((line("x"), line("y")), ((line(Code("n")), line("1", Small("0 to 2"))), (line("m"), line()))),
        Text(line(Link("run", "https://github.com/o/r"))),
        Text(line("1", Range(Estimate(value=1, low=0, high=2), 2, "good", "drawn where that is possible"))),
    ]
    assert markdown.render(blocks) == (
        "## Yes\n\nbefore **bold**, after\n\n- one\n- two\n\n"
        "| x | y |\n|:---|---:|\n| `n` | 1<br><sub>0 to 2</sub> |\n| m |  |\n\n"
        "[run](https://github.com/o/r)\n\n1\n"
    )


CHART = Chart(
    "Loss", "epoch", "loss", (1, 3), (Series("a", "blue", (0.9, 0.5, 0.25)), Series("b", "orange", (1, 1, 1)))
)


def test_a_chart_is_mermaid_of_figures_alone() -> None:
    assert markdown.render([CHART]).splitlines()[2:] == [
        "xychart-beta",
        '  x-axis "epoch" 1 --> 3',
        '  y-axis "loss" 0.2 --> 1',
        "  line [0.9, 0.5, 0.25]",
        "  line [1, 1, 1]",
        "```",
    ]
    assert '"plotColorPalette": "#3e8ed0, #d55e00"' in markdown.render([CHART]).splitlines()[1]


@pytest.mark.parametrize(
    "values", [(0.0, 0.0), (1.0, 1.0), (1e-9, 2e-9), (0.5, 1e6), (-1e6, 1e6), (1e6, 1e6), (0.96, 1.0), (-3.0, -2.9)]
)
def test_an_axis_holds_all_values_and_is_no_point(values: tuple[float, ...]) -> None:
    chart = Chart("x", "x", "y", (0, 1), (Series("a", "blue", values),))
    axis = next(row for row in markdown.render([chart]).splitlines() if "y-axis" in row)
    low, high = (float(end) for end in axis.removeprefix('  y-axis "y" ').split(" --> "))
    assert low < high
    assert low <= min(values) + 1e-4
    assert max(values) <= high + 1e-4
