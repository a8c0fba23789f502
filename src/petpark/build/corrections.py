"""corrections.csv: the labels that people have settled, photo by photo."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from petpark.errors import DataError
from petpark.layout import CORRECTIONS

EXCLUDED: Final = "excluded"  # instead of a label: the photo is left out
_HEADER: Final = ["id", "label"]
_ID: Final = re.compile(r"[0-9a-f]{64}")


def read(path: Path = CORRECTIONS) -> dict[str, str]:
    """Read the corrected label of each photo id, or `excluded`; without the file nothing is corrected.

    Raises:
        DataError: names the first line that is not `id,label` with a full id that no line before it has.
    """
    if not path.exists():
        return {}
    corrections: dict[str, str] = {}
    for number, photo_id, label in _lines(path):
        if not _ID.fullmatch(photo_id):
            raise _wrong(
                path, number, f"{photo_id!r} is no photo id: 64 hex digits, as the manifest and the report show"
            )
        if not label or not label.isprintable():
            raise _wrong(path, number, f"{label!r} is no label: name one, or write `{EXCLUDED}`")
        if photo_id in corrections:
            raise _wrong(path, number, f"photo {photo_id[:12]}… stands twice: keep one of its lines")
        corrections[photo_id] = EXCLUDED if label.lower() == EXCLUDED else label
    return corrections


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line number, id and label; what spreadsheets add (a byte order mark, empty lines) is passed over."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            if next(reader, None) != _HEADER:
                raise _wrong(path, 1, "the first line must be `id,label`")
            for cells in reader:
                if not any(cells):
                    continue
                if len(cells) != len(_HEADER):
                    raise _wrong(path, reader.line_num, f"`id,label` is wanted, and {len(cells)} cells are there")
                yield reader.line_num, cells[0].strip(), cells[1].strip()
        except UnicodeDecodeError:  # met a whole buffer ahead of its line
            raise _wrong(path, _undecodable(path), "not readable as UTF-8: save the file as that") from None
        except csv.Error as error:
            raise _wrong(path, reader.line_num + 1, f"not readable as CSV ({error})") from None


def _undecodable(path: Path) -> int:
    """Return the number of the first line that is no UTF-8."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 1


def _wrong(path: Path, line: int, what: str) -> DataError:
    return DataError(f"{path}, line {line}: {what}.")
