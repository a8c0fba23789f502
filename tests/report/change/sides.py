"""Sides of a change, laid out as a repository has them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from petpark import layout
from petpark.evidence.build import BuildEvidence
from petpark.report.change import side
from petpark.report.change.folder import reader
from petpark.report.change.side import Head, Side
from tests.test_gate import HEALTHY, changed

OLD = {  # the model that a comparison of the healthy evidence names as its champion
    "evaluation.model.sha256": "1" * 64,
    "package.sha256": "1" * 64,
    "comparison": None,
}
PARAMS = """seed: 0
ingest:
  batches:
    one: {sha256: aa, role: train}
    park: {sha256: bb, role: acceptance}
train: {epochs: 16, learning_rate: 0.002, crop: 0.6, mixup: 0.0}
"""
LOSSES = {"loss": (0.9, 0.5, 0.3), "validation_loss": (0.8, 0.45, 0.35), "accuracy": (0.6, 0.8, 0.9)}


def old(changes: dict[str, Any] | None = None) -> BuildEvidence:
    """Evidence of the model before."""
    return changed(BuildEvidence, HEALTHY, OLD | (changes or {}))


def new(changes: dict[str, Any] | None = None) -> BuildEvidence:
    """Evidence of the model that was compared with that."""
    return changed(BuildEvidence, HEALTHY, changes or {})


def lay(
    folder: Path,
    evidence: BuildEvidence | None,
    params: str = PARAMS,
    policy: str | None = "{}\n",
    corrections: str = "id,label\n",
    curves: Mapping[str, Sequence[float]] | None = None,
) -> Path:
    """Write a side, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if evidence is not None:
        for path, found in (
            (layout.VALIDATION, evidence.validation),
            (layout.PACKAGE, evidence.package),
            (layout.EVALUATION, evidence.evaluation),
            (layout.COMPARISON, evidence.comparison),
        ):
            if found is not None:
                found.write(folder / path)
    (folder / layout.PARAMS).write_text(params)
    if policy is not None:
        (folder / layout.POLICY).write_text(policy)
    (folder / layout.CORRECTIONS).write_text(corrections)
    for name, values in (curves or {}).items():
        path = folder / layout.TRAINING / "plots" / "metrics" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{step}\t{value}\n" for step, value in enumerate(values))
        path.write_text(f"step\t{name}\n{rows}")
    return folder


def base(folder: Path) -> Side:
    """Read a folder as the base."""
    return side.read_base(reader(folder), "0123456789ab")


def head(folder: Path) -> Head:
    """Read a folder as the head."""
    return side.read_head(reader(folder), str(folder))


def pair(tmp_path: Path, now: BuildEvidence, before: BuildEvidence | None, **of_head: Any) -> tuple[Side, Head]:
    """Both sides; the head's settings and the like may be others."""
    given = {"curves": LOSSES, **of_head}
    return base(lay(tmp_path / "base", before, curves=LOSSES)), head(lay(tmp_path / "head", now, **given))


def edited(path: Path, changes: dict[str, Any]) -> None:
    """Change top-level entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def photo(number: int) -> str:
    """An id of a photo."""
    return hashlib.sha256(str(number).encode()).hexdigest()
