"""A report fits into its place to the last character, and says what it left out."""

import pytest

from petpark.report.change import limits, markdown
from petpark.report.change.blocks import Block, Details, Heading, Link, Table, Text, line
from petpark.report.change.limits import COMMENT, MARKER, SUMMARY, Limit, fit

LINK = Link("full report", "https://github.com/o/r/actions/runs/1")
BLOCKS: tuple[Block, ...] = (
    Heading(1, "Yes"),
    Text(line("why")),
    Details("First", (Text(line("a" * 400)),)),
    Details("Second", (Text(line("b" * 400)),)),
    Heading(2, "Last"),
    Text(line("c" * 400)),
    Text(line("the end")),
)
WHOLE = markdown.render(BLOCKS)


def fitted(most: int, link: Link | None = LINK) -> str:
    text = fit(BLOCKS, Limit(most, len), link)
    assert len(text) <= most
    return text


def test_what_fits_is_left_as_it_is_to_the_last_character() -> None:
    assert fitted(len(WHOLE)) == WHOLE
    assert fitted(len(WHOLE) - 1) != WHOLE


def test_what_is_folded_goes_first_from_the_bottom_up() -> None:
    cut = fitted(len(WHOLE) - 1)
    assert "aaa" in cut
    assert "bbb" not in cut
    assert "ccc" in cut
    note = f"Left out for want of room: Second, and stands in the [full report]({LINK.address})."
    assert cut.endswith(f"{note}\n\nthe end\n")


def test_then_goes_the_rest_from_the_bottom_up_and_the_verdict_never() -> None:
    cut = fitted(300)
    assert cut.startswith("## Yes\n\n")
    assert cut.endswith("\n\nthe end\n")
    assert "Left out for want of room: First; Second; Last" in cut
    assert not {"aaa", "bbb", "ccc"} & {cut[place : place + 3] for place in range(len(cut))}


def test_without_a_link_it_is_still_said_what_was_left_out() -> None:
    assert "Left out for want of room: Second.\n" in fitted(len(WHOLE) - 1, None)


@pytest.mark.parametrize("most", range(300, 1800, 37))
def test_every_limit_is_kept(most: int) -> None:
    assert fitted(most)


def test_a_long_table_is_shortened_and_says_by_how_much() -> None:
    rows = tuple((line(f"row {number}"), line("1")) for number in range(1234))
    text = fit((Heading(1, "x"), Table((line("a"), line("b")), rows), Text(line("end"))), COMMENT)
    assert "row 49 |" in text
    assert "row 50 |" not in text
    assert "\n\nand 1,184 more\n\n" in text


def test_a_comment_ends_with_its_marker_and_a_summary_has_none() -> None:
    assert fit(BLOCKS, COMMENT).endswith(f"\n{MARKER}\n")
    assert MARKER not in fit(BLOCKS, SUMMARY)
    assert MARKER not in fit([*BLOCKS[:1], Text(line(MARKER)), *BLOCKS[1:]], SUMMARY), "nobody else can write it"


def test_a_comment_is_as_long_as_githubs_limit_and_no_longer_however_that_counts() -> None:
    for sign, units in (("z", 1), ("\U0001f431", 2)):
        frame = len(fit((Heading(1, "x"), Details("d", (Text(line("z")),)), Text(line("end"))), COMMENT)) - 1
        room = (65_536 - frame) // units
        for length, kept in ((room, True), (room + 1, False)):
            text = fit((Heading(1, "x"), Details("d", (Text(line(sign * length)),)), Text(line("end"))), COMMENT)
            assert (sign * length in text) is kept
            assert len(text.encode("utf-16-le")) // 2 <= 65_536


def test_a_summary_is_measured_in_bytes() -> None:
    blocks = (Heading(1, "x"), Details("d", (Text(line("é" * 600_000)),)), Text(line("end")))
    assert "é" not in fit(blocks, SUMMARY)
    assert limits.SUMMARY.most == 1_048_576
