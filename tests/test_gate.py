"""Every rule of the gate says no where it should, and nothing where it should not."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel

from petpark import consistency, gate, metrics
from petpark.config.policy import Policy
from petpark.evidence.build import BuildEvidence, Comparison
from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import ClassFigures, Coverage, Evaluation, ModelFacts, Slice
from petpark.evidence.package import GoldenRows, Package, Variant
from petpark.evidence.validation import BatchCount, Check, SideCount, Validation

M = TypeVar("M", bound=BaseModel)

LABELS = ("ash", "beech", "cedar")


def around(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=min(value + half, 1.0) if value <= 1 else value + half)


def healthy_validation() -> Validation:
    return Validation(
        classes=tuple(SideCount(label=label, train=400, validation=40, test=150) for label in LABELS),
        batches=(
            BatchCount(batch="one", role="train", photos=1800, quarantined=3, reasons={"damaged": 2, "empty": 1}),
            BatchCount(batch="park", role="acceptance", photos=100, quarantined=0, reasons={}),
        ),
        duplicates=7,
        conflicts=2,
        excluded=1,
        corrected=4,
        leaked=0,
        drift={"label": 0.01, "brightness": 0.06},
        checks=(
            Check(name="NewLabels", status="PASS", info="none"),
            Check(name="LabelDrift", status="NO CONDITION", info="its score stands under `drift`"),
            Check(name="ImagePropertyOutliers", status="WARN", info="brightness: 11.0%"),
        ),
    )


def healthy_package() -> Package:
    return Package(
        architecture="small",
        sha256="0" * 64,
        image_size=64,
        parameters=1000,
        variants=(
            Variant(name="fp32", bytes=4000, milliseconds=2.0, accuracy=0.962),
            Variant(name="int8", bytes=1000, milliseconds=1.0, accuracy=0.960),
        ),
        chosen="int8",
        why="int8 is 2.0 times as fast and loses 0.2% of accuracy",
        threshold=0.7,
        golden=GoldenRows(
            photos=60,
            torch_fp32=1e-6,
            fp32_int8=0.05,
            int8_agreement=0.98,
            ingest_shift=0.05,
            ingest_shift_max=0.4,
            ingest_agreement=0.97,
        ),
    )


def healthy_evaluation() -> Evaluation:
    precision, recall, f1 = around(0.96, 0.02), around(0.96, 0.03), around(0.96, 0.02)
    return Evaluation(
        model=ModelFacts(sha256="0" * 64, bytes=1000, image_size=64, labels=LABELS, threshold=0.7, data="d", code="c"),
        photos=450,
        accuracy=around(0.96, 0.02),
        roc_auc=around(0.99, 0.005),
        brier=around(0.07, 0.01),
        calibration_error=around(0.04, 0.02),
        cost=around(40, 18),
        recall_gap=around(0.0, 0.03),
        precision=precision,
        recall=recall,
        f1=f1,
        classes=tuple(
            ClassFigures(
                label=label,
                photos=150,
                predicted=150,
                precision=precision,
                recall=recall,
                f1=f1,
                rate_ratio=Estimate(value=1.0, low=0.96, high=1.04),
            )
            for label in LABELS
        ),
        confusion=((144, 3, 3), (3, 144, 3), (3, 3, 144)),
        sure=Coverage(threshold=0.7, share=0.9, accuracy=0.99),
        coverage=(),
        reliability=(),
        curves={},
        slices=(Slice(name="brightness", value="dark (under 0.31)", photos=60, accuracy=around(0.93, 0.05)),),
        mistakes=(),
    )


def healthy_comparison() -> Comparison:
    return Comparison(
        champion="0123456789ab",
        champion_model="1" * 64,
        photos=440,
        seen=10,
        champion_accuracy=0.955,
        challenger_accuracy=0.96,
        accuracy_gain=around(0.005, 0.01),
        cost_gain=around(5, 10),
    )


HEALTHY = BuildEvidence(
    validation=healthy_validation(),
    package=healthy_package(),
    evaluation=healthy_evaluation(),
    comparison=healthy_comparison(),
)


def changed(kind: type[M], base: M, changes: dict[str, Any]) -> M:
    """The same, with other values at some dotted paths."""
    return kind.model_validate_json(json.dumps(edited(base.model_dump(mode="json", by_alias=True), changes)))


def edited(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Plain evidence with other values at some dotted paths."""
    for path, value in changes.items():
        *above, last = (int(step) if step.isdigit() else step for step in path.split("."))
        inner: Any = values
        for step in above:
            inner = inner[step]
        inner[last] = value
    return values


def counted(confusion: Sequence[Sequence[int]], labels: Sequence[str] = LABELS, half: float = 0.02) -> dict[str, Any]:
    """Changes of the healthy evidence to a model with these answers, each figure give or take the same."""
    photos, predicted = [sum(row) for row in confusion], [sum(column) for column in zip(*confusion, strict=True)]
    right = [row[place] for place, row in enumerate(confusion)]
    recalls = [hits / max(count, 1) for hits, count in zip(right, photos, strict=True)]
    known = [recall for recall, count in zip(recalls, photos, strict=True) if count]

    def span(value: float, most: float = 1.0) -> dict[str, float]:
        return {"value": value, "low": max(value - half, 0.0), "high": min(value + half, most)}

    classes = [
        {
            "label": label,
            "photos": photos[place],
            "predicted": predicted[place],
            "precision": span(right[place] / max(predicted[place], 1)),
            "recall": span(recalls[place]),
            "f1": span(0.96),
            "rate_ratio": span(predicted[place] / max(photos[place], 1), 1e9),
        }
        for place, label in enumerate(labels)
    ]
    sides = [{"label": name, "train": 400, "validation": 40, "test": photos[at]} for at, name in enumerate(labels)]
    return {
        "validation.classes": sides,
        "evaluation.model.labels": list(labels),
        "evaluation.photos": sum(photos),
        "evaluation.confusion": confusion,
        "evaluation.classes": classes,
        "evaluation.accuracy": span(sum(right) / sum(photos)),
        "evaluation.recall_gap": span(max(known) - min(known)),
        "evaluation.slices.0.photos": 1,
        "comparison": None,
    }


@dataclass(frozen=True)
class Case:
    """Changes of the healthy evidence and of the default policy, and what the verdict then says (nothing: yes)."""

    evidence: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    says: str = ""


def no(says: str, evidence: dict[str, Any] | None = None, policy: dict[str, Any] | None = None) -> Case:
    return Case(evidence or {}, policy or {}, says)


def yes(evidence: dict[str, Any] | None = None, policy: dict[str, Any] | None = None) -> Case:
    return Case(evidence or {}, policy or {})


def gain(value: float, low: float, high: float) -> dict[str, Any]:
    found = {"value": value, "low": low, "high": high}
    return {"comparison.accuracy_gain": found, "comparison.champion_accuracy": 0.96 - value}


def compared(accuracy: float) -> dict[str, Any]:
    """Changes to a comparison in which the challenger is so good, and better than the champion."""
    return gain(0.005, -0.005, 0.015) | {
        "comparison.challenger_accuracy": accuracy,
        "comparison.champion_accuracy": accuracy - 0.005,
    }


SIDES = {"train": 400, "validation": 40, "test": 150}
CHECK = {"name": "NewLabels", "info": "why"}
PARK = {"batch": "park", "role": "acceptance", "photos": 100, "quarantined": 6, "reasons": {"damaged": 6}}
EVEN = [[144, 3, 3], [3, 144, 3], [3, 3, 144]]
ONE_LABEL = counted([[450]], ["ash"])
FEW = counted([[64, 1, 1], [1, 65, 1], [1, 1, 64]])  # 199 photos
GAP = counted([[147, 1, 2], [8, 133, 9], [3, 3, 144]])  # of recall, 98.0 % to 88.7 %
OFTEN = [[135, 15, 0], [0, 150, 0], [0, 15, 135]]  # 180 times the second label, of 150
TWENTY_PERCENT_OFTEN = {"value": 1.2, "low": 1.08, "high": 1.3}
RARELY = [[150, 0, 0], [15, 120, 15], [0, 0, 150]]
TWENTY_PERCENT_RARELY = {"value": 0.8, "low": 0.7, "high": 0.92}
ONLY_INT8 = {"name": "int8", "bytes": 1000, "milliseconds": 1.0, "accuracy": 0.96}
LENIENT = {"build.max_recall_gap": 1.0}
UNEVEN = LENIENT | {"build.max_rate_ratio": 9.0}
SLICE = {"value": 0.7, "low": 0.6, "high": 0.8}
DEAR = {"label": "ash", "predicted": "beech", "cost": 5.0}
TINY = counted([[63, 1, 1], [1, 64, 1], [1, 1, 64]])  # 197 photos, too few for drift
SKIPPED = {"validation.checks": [CHECK | {"name": "deepchecks", "status": "SKIPPED"}], "validation.drift": {}}
CASES: dict[gate.Rule[BuildEvidence, Policy], list[Case]] = {
    consistency.one_model: [
        no("model 111111111111 was judged, and 000000000000 was packaged", {"evaluation.model.sha256": "1" * 64}),
        no("model 000000000000 was judged, and 222222222222 was packaged", {"package.sha256": "2" * 64}),
        no("judged at 64 pixels, and packaged for 2:", {"package.image_size": 2}),
        no("judged with the threshold 0.7, and packaged with 0.1:", {"package.threshold": 0.1}),
    ],
    consistency.one_lake: [
        no(
            r"other labels \('ash', 'cedar', 'horse', 'pig'\)",
            counted(EVEN, ["beech", "horse", "pig"])
            | {"validation.classes": [{"label": label} | SIDES for label in LABELS]},
        ),
        no("151 photos of 'beech' are in the test side, and 150 were judged", {"validation.classes.1.test": 151}),
        no("asked about more photos than the test side holds", {"comparison.seen": 11}),
        yes({"comparison.seen": 0}),
    ],
    consistency.one_challenger: [
        no("compared another model", compared(434 / 440)),
        no("compared another model", compared(421 / 440)),
        yes(compared(432 / 440)),
        yes(compared(422 / 440)),
    ],
    consistency.golden_rows: [
        no("no golden row", {"package.golden.photos": 0}),
        yes({"package.golden.photos": 1}),
    ],
    consistency.sides_compared: [
        no("were not compared, though each has 200 photos or more", {"validation.drift": {}}),
        no("were not compared", SKIPPED),
        no("were not compared", {"validation.checks.0": CHECK | {"status": "SKIPPED"}}),
        yes(TINY | SKIPPED, {"build.min_test_photos": 100}),
    ],
    consistency.sliced: [no("not judged on any part of the photos", {"evaluation.slices": []})],
    gate.enough_photos: [
        no("'beech' has 49 photos to train on", {"validation.classes.1.train": 49}, {"build.max_class_ratio": 9.0}),
        no("fewer than two labels", ONE_LABEL),
        yes({"validation.classes.1.train": 50}, {"build.max_class_ratio": 9.0}),
    ],
    gate.class_ratio: [
        no("skewed: 400 photos of 'beech' to train on and 99 of 'cedar'", {"validation.classes.2.train": 99}),
        yes({"validation.classes.2.train": 100}),
    ],
    gate.conflicts: [
        no(r"19 photos \(1.1%; allowed: 1.0%\) have two labels", {"validation.conflicts": 19}),
        yes({"validation.conflicts": 18}),
    ],
    gate.quarantine: [
        no("batch 'park' could not be used .*6 damaged", {"validation.batches.1": PARK}),
        yes({"validation.batches.1": PARK | {"quarantined": 5, "reasons": {"damaged": 5}}}),
    ],
    gate.no_leakage: [no("1 photos to learn from look like photos to judge on", {"validation.leaked": 1})],
    gate.drift: [
        no("differ in 'brightness': drift 0.21, allowed: 0.20", {"validation.drift.brightness": 0.21}),
        yes({"validation.drift.brightness": 0.2}),
    ],
    gate.checks: [
        no("NewLabels ended with ERROR: why", {"validation.checks.0": CHECK | {"status": "ERROR"}}),
        no("NewLabels ended with FAIL: why", {"validation.checks.0": CHECK | {"status": "FAIL"}}),
        no("NewLabels ended with PERHAPS", {"validation.checks.0": CHECK | {"status": "PERHAPS"}}),
        no("LabelDrift ended with ERROR", {"validation.checks.1": CHECK | {"name": "LabelDrift", "status": "ERROR"}}),
        no("no check of the data was made", {"validation.checks": []}),
        yes({"validation.checks.1": CHECK | {"name": "LabelDrift", "status": "FAIL"}}),
    ],
    gate.enough_test_photos: [
        no("judged on 199 photos and 200 are wanted", FEW),
        yes(FEW, {"build.min_test_photos": 199}),
    ],
    gate.accuracy_floor: [
        no("may lie below the floor of 85.0%", {"evaluation.accuracy.low": 0.849}),
        yes({"evaluation.accuracy.low": 0.85}),
    ],
    gate.recall_floor: [
        no("recall of 'cedar' is 74.7%", counted([[150, 0, 0], [0, 150, 0], [19, 19, 112]]), UNEVEN),
        no("label 'cedar' has no test photo", counted([[221, 4, 0], [4, 221, 0], [0, 0, 0]])),
        yes(counted([[150, 0, 0], [0, 150, 0], [18, 18, 114]]), UNEVEN),
    ],
    gate.recall_gap: [
        no("recall of 'ash' lies 9.3% .* above that of 'beech'", GAP),
        yes(GAP | {"evaluation.recall_gap.low": 0.05}),  # two thirds of the limit, for three labels
        yes(GAP, {"build.max_recall_gap": 0.094}),
    ],
    gate.rate_ratio: [
        no("biased towards 'beech': 1.20 times", counted(OFTEN), LENIENT),
        no("biased against 'beech': 0.80 times", counted(RARELY), LENIENT),
        yes(counted(OFTEN), LENIENT | {"build.max_rate_ratio": 1.2001}),
        yes(counted(OFTEN) | {"evaluation.classes.1.rate_ratio": TWENTY_PERCENT_OFTEN | {"low": 1.07}}, LENIENT),
        yes(counted(RARELY) | {"evaluation.classes.1.rate_ratio": TWENTY_PERCENT_RARELY | {"high": 0.94}}, LENIENT),
    ],
    gate.calibration: [
        no("confidence misses accuracy by 15.1%", {"evaluation.calibration_error": around(0.151, 0.02).model_dump()}),
        yes({"evaluation.calibration_error": around(0.15, 0.02).model_dump()}),
    ],
    gate.slices: [
        no("the 60 photos with brightness dark .* is 70.0%", {"evaluation.slices.0.accuracy": SLICE}),
        yes({"evaluation.slices.0.accuracy": SLICE | {"high": 0.82}}),
    ],
    gate.int8_loss: [
        no("int8 loses 0.6% of accuracy", {"package.variants.1.accuracy": 0.956}),
        no("int8 ships, and was not compared", {"package.variants": [ONLY_INT8]}),
        yes({"package.variants.1.accuracy": 0.956, "package.chosen": "fp32"}),
    ],
    gate.parity: [
        no("differ by 0.002 in a probability", {"package.golden.torch_fp32": 0.002}),
        yes({"package.golden.torch_fp32": 0.001}),
    ],
    gate.int8_agreement: [
        no("is 94.9%; wanted: 95.0%", {"package.golden.int8_agreement": 0.949}),
        no("is unknown", {"package.golden.int8_agreement": None}),
        yes({"package.golden.int8_agreement": 0.949, "package.chosen": "fp32"}),
    ],
    gate.ingest_shift: [
        no("by 0.26 on average", {"package.golden.ingest_shift": 0.26}),
        yes({"package.golden.ingest_shift": 0.25}),
    ],
    gate.cost: [
        no("would cost 40.0 in mistakes; allowed: 39.0", policy={"build.max_cost": 39.0}),
        no("would cost 66.7", policy={"build.max_cost": 50.0, "cost.mistakes": [DEAR]}),
        no("would cost 40000000000.0", policy={"build.max_cost": 50.0, "cost.mistake": 1e9}),
        no("label 'oak', which the model does not know", policy={"cost.mistakes": [DEAR | {"predicted": "oak"}]}),
        yes(policy={"build.max_cost": 40.0}),
        yes({"evaluation.cost": {"value": 1e3, "low": 9e2, "high": 2e3}}, {"build.max_cost": 40.0}),  # another policy's
    ],
    gate.champion: [
        no("worse than the champion of 0123456789ab on 440 photos: .* by -2.0%", gain(-0.02, -0.035, -0.005)),
        no("worse", gain(-0.005, -0.009, -0.001)),  # little, and beyond doubt
        no("worse", gain(-0.011, -0.03, 0.01)),  # in doubt, and more than may be lost
        no("not credibly better", policy={"build.champion.allow_tie": False}),
        yes(gain(-0.01, -0.03, 0.01)),
        yes(gain(0.02, 0.005, 0.035), {"build.champion.allow_tie": False}),
        yes({"comparison": None}, {"build.champion.allow_tie": False}),
    ],
}


def reasons(case: Case, rules: Sequence[gate.Rule[BuildEvidence, Policy]] = gate.BUILD_RULES) -> tuple[str, ...]:
    evidence = changed(BuildEvidence, HEALTHY, case.evidence)
    return gate.judge(evidence, changed(Policy, Policy(), case.policy), rules).reasons


def named(*, says: bool) -> list[Any]:
    return [
        pytest.param(rule, case, id=f"{rule.__name__}-{place}")
        for rule, cases in CASES.items()
        for place, case in enumerate(cases)
        if bool(case.says) is says
    ]


@pytest.mark.parametrize(("rule", "case"), named(says=True))
def test_each_rule_says_no_and_it_alone(rule: gate.Rule[BuildEvidence, Policy], case: Case) -> None:
    found = reasons(case)
    assert len(found) == 1, found
    assert re.search(case.says, found[0]), found[0]
    assert reasons(case, [rule]) == found


@pytest.mark.parametrize(("rule", "case"), named(says=False))
def test_no_rule_objects_to_what_is_allowed(rule: gate.Rule[BuildEvidence, Policy], case: Case) -> None:
    assert reasons(case) == ()


def test_every_rule_has_a_case_in_which_it_says_no() -> None:
    assert set(CASES) == set(gate.BUILD_RULES)
    assert [rule for rule, cases in CASES.items() if not any(case.says for case in cases)] == []


def test_the_healthy_model_passes() -> None:
    verdict = gate.judge(HEALTHY, Policy(), gate.BUILD_RULES)
    assert verdict == gate.Verdict(())
    assert verdict.passed


def test_every_reason_is_told() -> None:
    verdict = gate.judge(3, 2, [over, over])
    assert verdict.reasons == ("3 is over 2", "3 is over 2")
    assert not verdict.passed
    assert gate.judge(2, 2, [over]).passed


def over(value: int, limit: int) -> Iterator[str]:
    if value > limit:
        yield f"{value} is over {limit}"


def test_two_labels_need_less_proof_of_a_gap_than_three() -> None:
    two = counted([[147, 3], [17, 133]], LABELS[:2], half=0.05)  # 9.3 %, and 4.3 % at least
    assert any("fare too differently" in reason for reason in reasons(Case(two), [gate.recall_gap]))


def measured(truth: NDArray[np.int64], answers: NDArray[np.int64], k: int) -> BuildEvidence:
    """The healthy evidence with the figures of real answers."""
    labels = LABELS[:k]
    probabilities = np.full((len(truth), k), 0.05 / (k - 1), np.float32)
    probabilities[np.arange(len(truth)), answers] = 0.95
    found = metrics.measure(truth, probabilities, labels, Policy().cost.matrix(labels), resamples=200, seed=0)
    evaluation = healthy_evaluation().model_copy(update=vars(found))
    model, dark = evaluation.model.model_copy(update={"labels": labels}), evaluation.slices[0]
    slices = (dark.model_copy(update={"photos": 10}),)
    classes = tuple(SideCount(label=each.label, train=400, validation=40, test=each.photos) for each in found.classes)
    return BuildEvidence(
        validation=healthy_validation().model_copy(update={"classes": classes}),
        package=healthy_package(),
        evaluation=evaluation.model_copy(update={"model": model, "slices": slices}),
    )


def model_of(k: int, bias: float, seed: int) -> BuildEvidence:
    """440 photos and a model that is right on 96 % of them, unless it is made to say the first label too often."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, 440)
    answers = np.where(rng.random(440) < 0.96, truth, (truth + rng.integers(1, k, 440)) % k)
    turned = (answers != 0) & (rng.random(440) < bias / (k - 1))
    return measured(truth, np.where(turned, 0, answers), k)


@pytest.mark.parametrize("k", [2, 3])
def test_an_unbiased_model_of_96_percent_passes_and_one_biased_by_30_percent_does_not(k: int) -> None:
    fair = [gate.judge(model_of(k, 0.0, seed), Policy(), gate.BUILD_RULES) for seed in range(60)]
    assert [verdict.reasons for verdict in fair if not verdict.passed] == []
    biased = [gate.judge(model_of(k, 0.3, seed), Policy(), gate.BUILD_RULES) for seed in range(60)]
    told = [any("biased towards 'ash'" in reason for reason in verdict.reasons) for verdict in biased]
    assert sum(told) >= 57


def test_a_model_two_points_worse_than_the_champion_is_refused() -> None:
    truth = np.arange(440) % 3
    champion, challenger = truth.copy(), truth.copy()
    champion[:18] = (truth[:18] + 1) % 3
    challenger[9:36] = (truth[9:36] + 1) % 3
    gain = metrics.paired_gain(truth, champion, challenger, Policy().cost.matrix(LABELS), resamples=1000, seed=0)
    comparison = healthy_comparison().model_copy(update={"accuracy_gain": gain.accuracy, "cost_gain": gain.cost})
    verdict = gate.judge(HEALTHY.model_copy(update={"comparison": comparison}), Policy(), gate.BUILD_RULES)
    assert gain.accuracy.value == pytest.approx(-0.0205, abs=1e-4)
    assert len(verdict.reasons) == 1
    assert "worse than the champion" in verdict.reasons[0]


def test_an_unsure_but_honest_model_is_not_called_biased() -> None:
    """With few photos a lopsided sample is chance: figures beyond the limits alone refuse nothing."""
    truth = np.array([0] * 10 + [1] * 10)
    answers = np.array([0] * 10 + [1] * 8 + [0] * 2)
    evidence = measured(truth, answers, 2)
    assert evidence.evaluation.classes[0].rate_ratio.value == 1.2
    assert gate.judge(evidence, Policy(), [gate.rate_ratio, gate.recall_gap]).passed
