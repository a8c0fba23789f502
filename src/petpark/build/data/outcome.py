"""What became of the batches, in objects for programs and in words for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from petpark.build.data.packing import Contents
from petpark.config.ingest import Role

State = Literal["added", "replaced", "role changed", "unchanged"]

_FEW: Final = 8  # labels that are told one by one


@dataclass(frozen=True)
class Changed:
    """Batches that changed, or went."""

    sentence: str
    commands: tuple[str, ...]
    """What brings the change to everyone else."""

    def __str__(self) -> str:
        return "\n".join([self.sentence, *_to_do(self.commands)])


@dataclass(frozen=True)
class Added:
    """A batch that was added."""

    name: str
    role: Role
    state: State
    sha256: str
    contents: Contents
    commands: tuple[str, ...]
    """What brings the change to everyone else."""

    def __str__(self) -> str:
        labels, passed_over = self.contents.labels, self.contents.passed_over
        each = ", ".join(f"{label} {count:,}" for label, count in labels.items())
        told = each if len(labels) <= _FEW else f"{len(labels):,} labels"
        size = f"{self.contents.size / 1e6:,.1f} MB"
        sentence = f"{self.name} ({self.role}): {self.state}; {self.contents.photos:,} photos ({told}), {size}"
        beside = (
            [f"passed over: {passed_over:,} (hidden files, and files outside any label's folder)"]
            if passed_over
            else []
        )
        return "\n".join([sentence, *beside, *_to_do(self.commands)])


@dataclass(frozen=True)
class Row:
    """One batch of the list; None is what cannot be known here."""

    name: str
    role: Role
    photos: int | None
    quarantined: int | None
    size: int | None
    """Bytes of the archive."""
    sha256: str
    present: bool
    """Whether the archive lies here."""


def table(rows: Sequence[Row]) -> str:
    """Lay the list out in columns; a dash stands for what cannot be known here."""
    if not rows:
        return "There is no batch yet: `petpark data add SOURCE` makes one."
    head = ("batch", "role", "photos", "quarantined", "MB", "sha256", "here")
    lines = [head, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    counts = ("-" if count is None else f"{count:,}" for count in (row.photos, row.quarantined))
    size = "-" if row.size is None else f"{row.size / 1e6:,.1f}"
    return (row.name, row.role, *counts, size, row.sha256[:12], "yes" if row.present else "no")


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    """Names to the left, numbers to the right."""
    numbers = (2, 3, 4)
    padded = (
        cell.rjust(width) if place in numbers else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(padded).rstrip()


def _to_do(commands: Sequence[str]) -> list[str]:
    if not commands:
        return []
    return [
        "To bring this to everyone else:",
        *(f"  {command}" for command in commands),
        "After a `dvc repro`, push again, and add dvc.lock and the metrics too.",
    ]
