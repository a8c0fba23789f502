"""Proposed corrections: written beside the page, reviewed by a person, and added to corrections.csv only when told."""

import csv
import io
from collections.abc import Mapping
from typing import Final

from petpark import files, layout
from petpark.build import corrections
from petpark.errors import DataError
from petpark.report.words import count

PROPOSED: Final = layout.REPORTS / "corrections.proposed.csv"
_MARK: Final = layout.SCRATCH / "audit" / "proposed.sha256"  # what the file was when an audit wrote it
_HEADER: Final = "id,label"
_APPLY: Final = "petpark data audit --apply"


def check() -> None:
    """Refuse to write over a proposal that somebody has begun to review.

    Raises:
        DataError: the file is not as an audit left it.
    """
    known = _MARK.read_text(encoding="utf-8") if _MARK.is_file() else ""
    if PROPOSED.is_file() and files.sha256(PROPOSED) != known:
        raise DataError(
            f"{PROPOSED} was edited since an audit wrote it: add its lines to {layout.CORRECTIONS} with `{_APPLY}`, "
            "or remove it, and run this again."
        )


def write(proposals: Mapping[str, str]) -> None:
    """Write the proposed label, or `excluded`, of each photo id, in the form of corrections.csv."""
    files.write_text(PROPOSED, f"{_HEADER}\n" + _rows(proposals, "\n"))
    files.write_text(_MARK, files.sha256(PROPOSED))


def apply() -> int:
    """Add the lines of the proposal, as they stand now, to corrections.csv, and remove the proposal.

    What corrections.csv holds stays as it is, byte for byte; a photo that it names already keeps its line.

    Returns:
        how many lines were added.

    Raises:
        DataError: there is no proposal, or one of the two files cannot be read.
    """
    if not PROPOSED.is_file():
        raise DataError(f"{PROPOSED} is missing: make it with `petpark data audit`.")
    settled, proposed = corrections.read(), corrections.read(PROPOSED)
    new = {photo_id: label for photo_id, label in proposed.items() if photo_id not in settled}
    if new:
        before = layout.CORRECTIONS.read_bytes() if layout.CORRECTIONS.exists() else f"{_HEADER}\n".encode()
        end = "\r\n" if b"\r\n" in before else "\n"
        gap = "" if before.endswith(b"\n") else end
        with files.whole(layout.CORRECTIONS) as partial:
            partial.write_bytes(before + f"{gap}{_rows(new, end)}".encode())
            corrections.read(partial)
    files.remove(PROPOSED)
    files.remove(_MARK)
    return len(new)


def summary(added: int) -> str:
    """Say what became of a proposal."""
    if not added:
        return f"{layout.CORRECTIONS} has a line for each of these photos already; nothing was added."
    return f"{layout.CORRECTIONS}: {count(added, 'line')} added. `make run` brings data and model up to date with them."


def _rows(labels: Mapping[str, str], end: str) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(labels.items())
    return text.getvalue()
