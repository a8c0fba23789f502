"""Gates: evidence and policy in, a verdict with reasons out. No files, no clock, no network.

A new rule is one function that yields a reason where it says no, and its name in the tuple.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from petpark import consistency
from petpark.config.policy import Policy
from petpark.evidence.build import BuildEvidence
from petpark.metrics import expected_cost

E = TypeVar("E")
P = TypeVar("P")
Rule = Callable[[E, P], Iterator[str]]

_HARMLESS: Final = {"PASS", "WARN", "SKIPPED", "NO CONDITION"}


@dataclass(frozen=True)
class Verdict:
    """Yes, or no with reasons."""

    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no rule objects."""
        return not self.reasons


def judge(evidence: E, policy: P, rules: Sequence[Rule[E, P]]) -> Verdict:
    """Every rule speaks; silence is consent."""
    return Verdict(tuple(reason for rule in rules for reason in rule(evidence, policy)))


def enough_photos(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """There must be two labels at least, and each needs photos to learn from."""
    least = policy.build.min_photos_per_class
    for each in evidence.validation.classes:
        if each.train < least:
            yield f"label '{each.label}' has {each.train} photos to train on and needs {least}: add photos of it"
    if len(evidence.validation.classes) < 2:
        yield "the photos have fewer than two labels: there is nothing to tell apart"


def class_ratio(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """No label may outnumber another too far in the training side."""
    photos, most = {each.label: each.train for each in evidence.validation.classes}, policy.build.max_class_ratio
    ranked = sorted(photos, key=photos.__getitem__)
    if ranked and photos[ranked[-1]] > most * photos[ranked[0]]:
        counts = f"{photos[ranked[-1]]} photos of '{ranked[-1]}' to train on and {photos[ranked[0]]} of '{ranked[0]}'"
        yield f"the labels are skewed: {counts} (allowed: {most:g} times as many)"


def conflicts(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Few photos may come under two labels."""
    count, limit = evidence.validation.conflicts, policy.build.max_conflicting
    share = count / max(sum(each.photos for each in evidence.validation.batches if each.role == "train"), 1)
    if share > limit:
        yield f"{count} photos ({share:.1%}; allowed: {limit:.1%}) have two labels: settle them in corrections.csv"


def quarantine(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Most photos of each batch must be usable."""
    limit = policy.build.max_quarantined
    for batch in evidence.validation.batches:
        if (share := batch.quarantined / max(batch.photos, 1)) > limit:
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(batch.reasons.items()))
            yield f"{share:.1%} of batch '{batch.batch}' could not be used ({why}); allowed: {limit:.1%}"


def no_leakage(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - no policy may allow it
    """Nothing that a model is judged on may have been learned from."""
    if evidence.validation.leaked:
        yield f"{evidence.validation.leaked} photos to learn from look like photos to judge on: run `dvc repro split`"


def drift(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Training and test side must look alike."""
    limit = policy.build.max_drift
    for name, score in evidence.validation.drift.items():
        if score > limit:
            yield f"training and test side differ in '{name}': drift {score:.2f}, allowed: {limit:.2f}"


def checks(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - the checks have their own limits
    """No check of the data may fail, and one that could not run has not passed; drift has its own rule."""
    for check in evidence.validation.checks:
        judged_elsewhere = check.status == "FAIL" and "Drift" in check.name
        if check.status not in _HARMLESS and not judged_elsewhere:
            yield f"the check {check.name} ended with {check.status}: {check.info}"
    if not evidence.validation.checks:
        yield "no check of the data was made: run `dvc repro -f validate`"


def enough_test_photos(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """A model must have been judged on enough photos."""
    photos, least = evidence.evaluation.photos, policy.build.min_test_photos
    if photos < least:
        yield f"the model was judged on {photos} photos and {least} are wanted: add photos or raise `split.test_share`"


def accuracy_floor(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Accuracy must be credibly above the floor: the lower end of its 95 % interval counts."""
    accuracy, floor = evidence.evaluation.accuracy, policy.build.min_accuracy
    if accuracy.low < floor:
        yield f"accuracy {accuracy} may lie below the floor of {floor:.1%}"


def recall_floor(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Each label must be found often enough; without test photos nobody knows."""
    for each in evidence.evaluation.classes:
        if not each.photos:
            yield f"label '{each.label}' has no test photo, so its recall is unknown: add photos of it"
        elif each.recall.value < policy.build.min_recall:
            yield f"recall of '{each.label}' is {each.recall}, below the floor of {policy.build.min_recall:.1%}"


def recall_gap(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """The best and the worst label must fare alike.

    A gap above the limit counts where chance does not explain it. Chance sets the best and the worst of many labels
    apart, so the lower end of the interval must exceed half of the limit for two labels, two thirds for three, and so
    on. With 440 photos, an unbiased model of 96 % is refused in 0.0 % (two labels) to 0.3 % (ten) of simulations.
    """
    gap, limit = evidence.evaluation.recall_gap, policy.build.max_recall_gap
    ranked = sorted((each for each in evidence.evaluation.classes if each.photos), key=lambda each: each.recall.value)
    if len(ranked) > 1 and gap.value > limit and gap.low > limit * (1 - 1 / len(ranked)):
        found = f"recall of '{ranked[-1].label}' lies {gap} above that of '{ranked[0].label}'"
        yield f"the labels fare too differently: {found}; allowed: {limit:.1%}"


def rate_ratio(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """No label may be predicted much more or less often than it occurs.

    A deviation above the limit counts where the near end of the interval exceeds half of it. With 440 photos, a model
    of 96 % is refused in 0.0 % (two labels) to 0.2 % (ten) of simulations; one that is 30 % biased to a label, in
    100 % (two) to 96 % (five).
    """
    most, least = policy.build.max_rate_ratio, 1 / policy.build.max_rate_ratio
    for each in evidence.evaluation.classes:
        ratio = each.rate_ratio
        often = ratio.value > most and ratio.low > (1 + most) / 2
        rarely = ratio.value < least and ratio.high < (1 + least) / 2
        if each.photos and (often or rarely):
            rates = f"{ratio.value:.2f} times as often predicted as true ({ratio.low:.2f} to {ratio.high:.2f})"
            side = "towards" if often else "against"
            yield f"the model is biased {side} '{each.label}': {rates}; allowed: {least:.2f} to {most:.2f}"


def calibration(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Confidence must mean what it says."""
    error, limit = evidence.evaluation.calibration_error, policy.build.max_calibration_error
    if error.value > limit:
        yield f"confidence misses accuracy by {error} on average; allowed: {limit:.1%}"


def slices(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """No part of the photos may credibly lie far under the whole: the upper end of its interval counts."""
    whole, limit = evidence.evaluation.accuracy.value, policy.build.max_slice_drop
    for part in evidence.evaluation.slices:
        if part.accuracy.high < whole - limit:
            found = f"on the {part.photos} photos with {part.name} {part.value} is {part.accuracy}, on all {whole:.1%}"
            yield f"accuracy {found}; allowed difference: {limit:.1%}"


def int8_loss(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Where int8 ships, it may lose little accuracy against fp32."""
    if evidence.package.chosen != "int8":
        return
    fp32, int8 = evidence.package.variant("fp32"), evidence.package.variant("int8")
    limit = policy.package.max_int8_loss
    if fp32 is None or int8 is None:
        yield "int8 ships, and was not compared with fp32: run `dvc repro -f package`"
    elif (loss := fp32.accuracy - int8.accuracy) > limit:
        yield f"int8 loses {loss:.1%} of accuracy (allowed: {limit:.1%}): set `package.variant` to auto or fp32"


def parity(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """The exported file must answer as the trained network does."""
    error, limit = evidence.package.golden.torch_fp32, policy.package.max_parity_error
    if error > limit:
        yield f"torch and the exported file differ by {error:.2g} in a probability; allowed: {limit:.2g}"


def int8_agreement(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Where int8 ships, it must give golden rows the labels that fp32 gives them."""
    share, least = evidence.package.golden.int8_agreement, policy.package.min_int8_agreement
    if evidence.package.chosen == "int8" and (share is None or share < least):
        found = "unknown" if share is None else f"{share:.1%}"
        yield f"the share of golden rows with the same label from fp32 and int8 is {found}; wanted: {least:.1%}"


def ingest_shift(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """A stored photo must be to the model what the original is."""
    shift, limit = evidence.package.golden.ingest_shift, policy.package.max_ingest_shift
    if shift > limit:
        why = f"differ from those to the originals by {shift:.2f} on average (allowed: {limit:.2f})"
        yield f"answers to stored photos {why}: raise `ingest.short_side` or `ingest.quality`"


def cost(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """Mistakes may cost so much, by the cost matrix of this policy: the evidence may come from another one."""
    labels, limit = evidence.evaluation.model.labels, policy.build.max_cost
    named = {name for each in policy.cost.mistakes for name in (each.label, each.predicted)}
    for name in sorted(named - set(labels)):
        yield f"policy.yaml prices mistakes of label '{name}', which the model does not know: correct `cost.mistakes`"
    found = expected_cost(evidence.evaluation.confusion, policy.cost.matrix(labels))
    if limit is not None and found > limit:
        yield f"1,000 photos would cost {found:.1f} in mistakes; allowed: {limit:.1f}"


def champion(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:
    """The model must not be worse than the champion on the same photos; a tie is the policy's business."""
    if (found := evidence.comparison) is None:
        return
    gain, allowed = found.accuracy_gain, policy.build.champion.max_drop
    where = f"the champion of {found.champion} on {found.photos} photos"
    if gain.high < 0 or gain.value < -allowed:
        yield f"the model is worse than {where}: accuracy changes by {gain}; allowed: {-allowed:.1%}"
    elif gain.low <= 0 and not policy.build.champion.allow_tie:
        yield f"the model is not credibly better than {where}: accuracy changes by {gain}"


BUILD_RULES: Final[tuple[Rule[BuildEvidence, Policy], ...]] = (
    *consistency.RULES,
    enough_photos,
    class_ratio,
    conflicts,
    quarantine,
    no_leakage,
    drift,
    checks,
    enough_test_photos,
    accuracy_floor,
    recall_floor,
    recall_gap,
    rate_ratio,
    calibration,
    slices,
    int8_loss,
    parity,
    int8_agreement,
    ingest_shift,
    cost,
    champion,
)
