"""The suite of deepchecks that compares the training with the test side.

deepchecks wants its environment set before it is imported, which is why that stands above the imports.
"""

import logging
import math
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deepchecks and what it imports speak of their own deprecations
    import deepchecks
    import joblib
    from deepchecks.core import CheckFailure, CheckResult, ConditionCategory, ConditionResult
    from deepchecks.core.errors import ValidationError
    from deepchecks.core.serialization.suite_result.html import SuiteResultSerializer
    from deepchecks.vision import Suite, VisionData
    from deepchecks.vision import checks as library
    from deepchecks.vision.utils.image_properties import default_image_properties
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # and no stubs exist

from petpark import files
from petpark.errors import DataError
from petpark.evidence.validation import Check
from petpark.images import Pixels

_BATCH = 64
_CATEGORICAL = ("Area",)  # stored photos have few sizes; a drift of theirs says nothing
_CORRELATION = 0.4  # where colours tell labels apart, chance alone reaches 0.34 with 200 photos a side
_DRAWN_IDS = re.compile(r"(?<=[#\"])T_[0-9a-f]{5}|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

deepchecks.set_verbosity(logging.ERROR)


class NotComparableError(DataError):
    """deepchecks refuses the pictures of a side: they are all black, say."""


@dataclass(frozen=True)
class SideSample:
    """Some photos of one side: N pictures [H, W, 3], their labels as indices, their ids."""

    name: str
    pictures: Sequence[Pixels]
    targets: Sequence[int]
    ids: Sequence[str]


@dataclass(frozen=True)
class SuiteResult:
    """What the suite found: a line per check, and the drift score of each property."""

    checks: tuple[Check, ...]
    drift: dict[str, float]


class _Batches:
    """Batches of a sample, as often as they are asked for: deepchecks asks several times."""

    def __init__(self, sample: SideSample) -> None:
        self._sample = sample

    def __len__(self) -> int:
        return math.ceil(len(self._sample.ids) / _BATCH)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        sample = self._sample
        for start in range(0, len(sample.ids), _BATCH):
            part = slice(start, start + _BATCH)
            yield {
                "images": list(sample.pictures[part]),
                "labels": list(sample.targets[part]),
                "image_identifiers": list(sample.ids[part]),
            }


class _Outliers(library.ImagePropertyOutliers):  # type: ignore[misc]
    """deepchecks 0.19.1 appends a batch's identifiers once per property, and so names the wrong photos."""

    _images_uuid: list[str]

    def update(self, context: Any, batch: Any, dataset_kind: Any) -> None:
        seen = list(self._images_uuid)
        super().update(context, batch, dataset_kind)
        self._images_uuid = [*seen, *batch.numpy_image_identifiers]


class _Name(str):
    """A label with the same hash in every process: deepchecks goes through sets of them, and adds up on the way."""

    __slots__ = ()

    def __hash__(self) -> int:
        return zlib.crc32(self.encode())


class _Page(SuiteResultSerializer):  # type: ignore[misc]
    """deepchecks' own page; its list of checks comes in the random order of a set, and so is left out."""

    def prepare_prologue(self) -> str:
        return "Training side against test side."


def compare(train: SideSample, test: SideSample, labels: Sequence[str], page: Path) -> SuiteResult:
    """Run the suite on two sides, and write deepchecks' own page; the same samples give the same bytes.

    Args:
        train: sample of the training side; its first picture is not black.
        test: sample of the test side; its first picture is not black.
        labels: names of the K labels.
        page: where the HTML goes.

    Raises:
        NotComparableError: deepchecks refuses the pictures.
    """
    with warnings.catch_warnings(), joblib.parallel_config(backend="threading"), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            sides = [_vision_data(sample, labels) for sample in (train, test)]
        except ValidationError as error:
            raise NotComparableError(f"deepchecks refuses the photos: {error}") from None
        result = _suite(len(train.ids)).run(*sides, run_single_dataset="Train")
        files.write_text(page, _renumbered(_Page(result).serialize(output_id="data", full_html=True)))
    return SuiteResult(tuple(_check(each) for each in result.results), _drift(result.results))


def _renumbered(html: str) -> str:
    """Replace the ids that pandas and plotly draw at random by numbers, in the order in which they come."""
    numbers: dict[str, str] = {}
    return _DRAWN_IDS.sub(lambda found: numbers.setdefault(found[0], f"id-{len(numbers)}"), html)


def _suite(photos: int) -> Suite:
    properties = [each for each in default_image_properties if each["name"] not in _CATEGORICAL]
    return Suite(
        "Data",
        library.NewLabels().add_condition_new_label_ratio_less_or_equal(0),
        library.LabelDrift(),
        library.ImagePropertyDrift(image_properties=properties),
        library.ImageDatasetDrift(image_properties=properties),
        library.PropertyLabelCorrelationChange(
            image_properties=properties
        ).add_condition_property_pps_difference_less_than(_CORRELATION),
        _Outliers(image_properties=properties).add_condition("outliers per property <= 10 %", _few_outliers(photos)),
    )


def _few_outliers(photos: int) -> Callable[[dict[str, Any]], ConditionResult]:
    def condition(value: dict[str, Any]) -> ConditionResult:
        shares = {
            name: len(found["outliers_identifiers"]) / photos
            for name, found in value.items()
            if not isinstance(found, str)
        }
        worst = max(shares, key=shares.__getitem__, default=None)
        if worst is None:
            return ConditionResult(ConditionCategory.PASS, "no property was measured")
        category = ConditionCategory.PASS if shares[worst] <= 0.1 else ConditionCategory.WARN
        return ConditionResult(category, f"{worst}: {shares[worst]:.1%}")

    return condition


def _vision_data(sample: SideSample, labels: Sequence[str]) -> VisionData:
    return VisionData(
        _Batches(sample),
        task_type="classification",
        dataset_name=sample.name,
        label_map=dict(enumerate(map(_Name, labels))),
        reshuffle_data=False,
    )


def _check(result: CheckResult | CheckFailure) -> Check:
    name = type(result.check).__name__.lstrip("_")
    if isinstance(result, CheckFailure):
        return Check(name=name, status="ERROR", info=str(result.exception)[:300])
    conditions = result.conditions_results or []
    for status in ("ERROR", "FAIL", "WARN", "PASS"):
        found = [each for each in conditions if each.category.value == status]
        if found:
            return Check(name=name, status=status, info=f"{found[0].name}: {found[0].details}"[:300])
    return Check(name=name, status="NO CONDITION", info="its score stands under `drift`")


def _drift(results: Sequence[CheckResult | CheckFailure]) -> dict[str, float]:
    scores: dict[str, Any] = {}
    for result in results:
        if isinstance(result, CheckFailure):
            continue
        if isinstance(result.check, library.LabelDrift):
            scores["label"] = max(value["Drift score"] for value in result.value.values())
        elif isinstance(result.check, library.ImageDatasetDrift):
            scores["photos as a whole"] = result.value["domain_classifier_drift_score"]
        elif isinstance(result.check, library.ImagePropertyDrift):
            scores |= {name.lower(): value["Drift score"] for name, value in result.value.items()}
    return {name: round(float(score), 4) for name, score in sorted(scores.items()) if score is not None}
