"""Proposed corrections: reviewed by a person, added only when told, and nothing of hers is lost."""

from pathlib import Path

import pytest

from petpark import layout
from petpark.build import corrections
from petpark.build.audit import proposal
from petpark.errors import DataError

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture(autouse=True)
def here(workspace: Path) -> Path:
    return workspace


def test_a_proposal_has_the_form_of_the_corrections() -> None:
    proposal.write({A: "ash", B: "excluded"})
    assert proposal.PROPOSED.read_text() == f"id,label\n{A},ash\n{B},excluded\n"
    assert corrections.read(proposal.PROPOSED) == {A: "ash", B: "excluded"}


def test_writing_a_proposal_leaves_the_corrections_alone() -> None:
    layout.CORRECTIONS.write_text("id,label\n")
    proposal.write({A: "ash"})
    assert layout.CORRECTIONS.read_text() == "id,label\n"


def test_an_untouched_proposal_is_written_anew() -> None:
    proposal.write({A: "ash"})
    proposal.check()
    proposal.write({B: "ash"})
    assert corrections.read(proposal.PROPOSED) == {B: "ash"}


def test_a_proposal_under_review_is_not_written_over() -> None:
    proposal.write({A: "ash", B: "ash"})
    proposal.PROPOSED.write_text(f"id,label\n{B},ash\n")
    with pytest.raises(DataError, match=r"was edited since.*petpark data audit --apply.*or remove it"):
        proposal.check()
    proposal.PROPOSED.unlink()
    proposal.check()


def test_applying_adds_what_the_review_left() -> None:
    layout.CORRECTIONS.write_text(f"id,label\n{A},beech\n")
    proposal.write({B: "ash", C: "excluded"})
    proposal.PROPOSED.write_text(f"id,label\n{C},cedar\n")
    assert proposal.apply() == 1
    assert layout.CORRECTIONS.read_text() == f"id,label\n{A},beech\n{C},cedar\n"
    assert not proposal.PROPOSED.exists()
    proposal.check()


def test_a_photo_that_is_corrected_already_keeps_its_line() -> None:
    layout.CORRECTIONS.write_text(f"id,label\n{A},beech\n")
    proposal.write({A: "ash"})
    assert proposal.apply() == 0
    assert layout.CORRECTIONS.read_text() == f"id,label\n{A},beech\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, f"id,label\n{B},ash\n"),
        ("id,label", f"id,label\n{B},ash\n"),
        (f"id,label\n\n{A}, beech ", f"id,label\n\n{A}, beech \n{B},ash\n"),
        (f"\ufeffid,label\r\n{A},beech\r\n", f"\ufeffid,label\r\n{A},beech\r\n{B},ash\r\n"),
    ],
)
def test_what_stands_in_the_corrections_stays_byte_for_byte(before: str | None, after: str) -> None:
    if before is not None:
        layout.CORRECTIONS.write_bytes(before.encode())
    proposal.write({B: "ash"})
    proposal.apply()
    assert layout.CORRECTIONS.read_bytes() == after.encode()
    assert corrections.read()[B] == "ash"


def test_a_label_with_a_comma_and_quotes_survives() -> None:
    proposal.write({A: 'large, "brown"'})
    proposal.apply()
    assert corrections.read() == {A: 'large, "brown"'}


@pytest.mark.parametrize("text", ["id,label\nabc,ash\n", f"id,label\n{A}\n", f"{A},ash\n"])
def test_a_proposal_that_a_review_broke_is_refused_and_nothing_is_added(text: str) -> None:
    layout.CORRECTIONS.write_text("id,label\n")
    proposal.write({A: "ash"})
    proposal.PROPOSED.write_text(text)
    with pytest.raises(DataError, match=r"reports/corrections\.proposed\.csv, line \d"):
        proposal.apply()
    assert layout.CORRECTIONS.read_text() == "id,label\n"
    assert proposal.PROPOSED.read_text() == text


def test_without_a_proposal_there_is_nothing_to_apply() -> None:
    with pytest.raises(DataError, match="make it with `petpark data audit`"):
        proposal.apply()


@pytest.mark.parametrize(("added", "words"), [(0, "already"), (1, "1 line added"), (1200, "1,200 lines added")])
def test_what_was_done_is_said(added: int, words: str) -> None:
    assert words in proposal.summary(added)
