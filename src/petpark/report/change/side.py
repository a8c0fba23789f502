"""A side of a change, base or head: settings, evidence and curves, read as data that nobody vouches for."""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from petpark import layout
from petpark.errors import DataError
from petpark.evidence.build import BuildEvidence, Comparison
from petpark.evidence.core import Evidence
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package
from petpark.evidence.run import Run
from petpark.evidence.validation import Validation
from petpark.report.change import plain
from petpark.report.change.folder import Reader, reader
from petpark.report.change.plain import Plain

CURVES: Final = ("loss", "validation_loss", "accuracy")

_MOST: Final = {  # bytes; evidence about 1,000 labels has room
    layout.EVALUATION: 16 << 20,
    layout.VALIDATION: 1 << 20,
    layout.CORRECTIONS: 8 << 20,
}
_MOST_ELSEWHERE: Final = 256 << 10
_MOST_NAMES: Final = 2000
_LONGEST: Final = 400  # letters of a complaint
_LARGEST: Final = 1e6  # of a curve
_ID: Final = re.compile(r"[0-9a-f]{64}")

E = TypeVar("E", bound=Evidence)
T = TypeVar("T")
_Names = Annotated[list[Any], Field(max_length=_MOST_NAMES)]


class _Extent(BaseModel):
    """How many things evidence is about: to compare each name with every other one must not take minutes."""

    classes: _Names = []
    batches: _Names = []


@dataclass(frozen=True)
class Side:
    """What one side of a change says; None and nothing where it says nothing."""

    name: str
    """For sentences."""
    at: str
    """Its commit or folder."""
    params: Plain
    policy: Plain | None
    corrections: Mapping[str, str]
    """Label, or `excluded`, by photo id."""
    validation: Validation | None = None
    package: Package | None = None
    evaluation: Evaluation | None = None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Figures of each epoch by their name, one of CURVES."""
    unread: tuple[str, ...] = ()
    """Why something was passed over."""


@dataclass(frozen=True)
class Head:
    """The side that is judged, and all the evidence that it must have for that."""

    side: Side
    evidence: BuildEvidence


def read_base(reader: Reader, at: str) -> Side:
    """Read the side that the change starts from; evidence that cannot be used is passed over, and said.

    Args:
        reader: reads its files.
        at: its commit or folder.

    Raises:
        DataError: its policy cannot be read.
    """
    unread: list[str] = []

    def lenient(read: Callable[[], T], nothing: T) -> T:
        try:
            return read()
        except DataError as error:
            unread.append(str(error))
            return nothing

    files = _Files(reader, f"the base ({at})")
    return Side(
        files.name,
        at,
        lenient(lambda: files.settings(layout.PARAMS) or {}, {}),
        files.settings(layout.POLICY),
        lenient(files.corrections, {}),
        lenient(lambda: files.evidence(Validation, layout.VALIDATION), None),
        lenient(lambda: files.evidence(Package, layout.PACKAGE), None),
        lenient(lambda: files.evidence(Evaluation, layout.EVALUATION), None),
        lenient(files.curves, {}),
        tuple(unread),
    )


def read_head(reader: Reader, at: str) -> Head:
    """Read the side that is judged.

    Args:
        reader: reads its files.
        at: its folder.

    Raises:
        DataError: evidence is missing; or anything that is there is too large, no file, or not what it should be.
    """
    files = _Files(reader, "the head")
    validation = files.needed(Validation, layout.VALIDATION)
    package, evaluation = files.needed(Package, layout.PACKAGE), files.needed(Evaluation, layout.EVALUATION)
    comparison = files.evidence(Comparison, layout.COMPARISON)
    side = Side(
        files.name,
        at,
        files.settings(layout.PARAMS) or {},
        files.settings(layout.POLICY),
        files.corrections(),
        validation,
        package,
        evaluation,
        files.curves(),
    )
    found = BuildEvidence(validation=validation, package=package, evaluation=evaluation, comparison=comparison)
    return Head(side, found)


def read_run(path: Path) -> Run:
    """Read what a run took.

    Raises:
        DataError: missing, too large, no file, or not what it should be.
    """
    return _Files(reader(path.parent), f"{path.parent}").needed(Run, Path(path.name))


@dataclass(frozen=True)
class _Files:
    """The files of a side."""

    reader: Reader
    name: str

    def content(self, path: Path) -> bytes | None:
        most = _MOST.get(path, _MOST_ELSEWHERE)
        content = self.reader(path, most)
        if content is not None and len(content) > most:
            raise DataError(f"{self.where(path)} has {len(content):,} bytes, and may have {most:,}: it is not read.")
        return content

    def where(self, path: Path) -> str:
        return f"{path} of {self.name}"

    def settings(self, path: Path) -> Plain | None:
        content = self.content(path)
        return None if content is None else plain.mapping(content, self.where(path))

    def evidence(self, kind: type[E], path: Path) -> E | None:
        content = self.content(path)
        if content is None:
            return None
        try:
            _check_extent(content, self.where(path))
            return kind.parse(content, self.where(path))
        except DataError as error:
            said = str(error)
            raise DataError(said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…") from None

    def needed(self, kind: type[E], path: Path) -> E:
        found = self.evidence(kind, path)
        if found is None:
            raise DataError(f"{self.where(path)} is missing, so there is no report: make it with `make run`.")
        return found

    def corrections(self) -> dict[str, str]:
        content = self.content(layout.CORRECTIONS)
        return {} if content is None else _corrections(content, self.where(layout.CORRECTIONS))

    def curves(self) -> dict[str, tuple[float, ...]]:
        folder = layout.TRAINING / "plots" / "metrics"
        found = {name: self.content(folder / f"{name}.tsv") for name in CURVES}
        return {name: _curve(text, self.where(folder / f"{name}.tsv")) for name, text in found.items() if text}


def _check_extent(content: bytes, where: str) -> None:
    try:
        _Extent.model_validate_json(content)
    except ValidationError as error:
        if error.errors()[0]["type"] == "too_long":
            raise DataError(f"{where} is about more than {_MOST_NAMES:,} things of a kind: it is not read.") from None
        # whatever else is wrong, who parses it says better


def _corrections(content: bytes, where: str) -> dict[str, str]:
    try:
        header, *lines = csv.reader(content.decode("utf-8-sig").splitlines(), strict=True)
    except (ValueError, csv.Error) as error:
        raise DataError(f"{where} is no CSV ({str(error)[:160]}): its first line must be `id,label`.") from None
    rows = [[cell.strip() for cell in line] for line in lines if any(line)]
    if header != ["id", "label"] or any(len(row) != 2 or not _ID.fullmatch(row[0]) for row in rows):
        raise DataError(f"{where} holds more than lines of `id,label`: correct it.")
    return dict(rows)


def _curve(content: bytes, where: str) -> tuple[float, ...]:
    """The second column of a table that DVCLive wrote."""
    try:
        values = tuple(float(line.split("\t")[1]) for line in content.decode().splitlines()[1:])
    except (ValueError, IndexError):
        raise DataError(f"{where} is no table of steps and figures: train again.") from None
    if not all(abs(value) <= _LARGEST for value in values):  # which NaN is not either
        raise DataError(f"{where} holds figures that no training comes to: train again.")
    return values
