"""Rules of the build gate on the evidence itself: that it is whole, and all of one model and one lake."""

from collections.abc import Callable, Iterator
from typing import Final

from petpark.config.policy import Policy
from petpark.evidence.build import BuildEvidence
from petpark.evidence.validation import ENOUGH_TO_COMPARE

_AGAIN: Final = "run `make run`"
_ROUNDED: Final = 0.5  # photos: figures have six digits


def one_model(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - no policy may allow it
    """The model that was judged is the one that was packaged."""
    judged, packaged = evidence.evaluation.model, evidence.package
    if judged.sha256 != packaged.sha256:
        yield f"model {judged.sha256[:12]} was judged, and {packaged.sha256[:12]} was packaged: {_AGAIN}"
    if judged.image_size != packaged.image_size:
        sizes = f"at {judged.image_size} pixels, and packaged for {packaged.image_size}"
        yield f"the model was judged {sizes}: {_AGAIN}"
    if judged.threshold != packaged.threshold:
        thresholds = f"with the threshold {judged.threshold:g}, and packaged with {packaged.threshold:g}"
        yield f"the model was judged {thresholds}: {_AGAIN}"


def one_lake(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - no policy may allow it
    """The photos that the model was judged on are those of the test side that was examined."""
    examined = {each.label: each.test for each in evidence.validation.classes}
    judged = {each.label: each.photos for each in evidence.evaluation.classes}
    if examined.keys() != judged.keys():
        odd = ", ".join(f"'{label}'" for label in sorted(examined.keys() ^ judged.keys()))
        yield f"the photos that were examined and the model have other labels ({odd}): {_AGAIN}"
    for label in sorted(examined.keys() & judged.keys()):
        if examined[label] != judged[label]:
            counts = f"{examined[label]} photos of '{label}' are in the test side, and {judged[label]} were judged"
            yield f"{counts}: {_AGAIN}"
    found = evidence.comparison
    if found is not None and found.photos + found.seen > evidence.evaluation.photos:
        yield f"the champion was asked about more photos than the test side holds: {_AGAIN}"


def one_challenger(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - none may allow it
    """The model that was compared with the champion is the one that was judged: it is right on the same photos."""
    found, judged = evidence.comparison, evidence.evaluation
    if found is None:
        return
    right, compared = round(judged.accuracy.value * judged.photos), found.challenger_accuracy * found.photos
    if not right - (judged.photos - found.photos) - _ROUNDED <= compared <= right + _ROUNDED:
        shares = f"{found.challenger_accuracy:.1%} of {found.photos} photos, and {judged.accuracy.value:.1%} of all"
        yield f"who compared it with the champion compared another model: it was right on {shares}: {_AGAIN}"


def golden_rows(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - none may do without
    """That all forms of the model agree is known from photos only."""
    if not evidence.package.golden.photos:
        yield "no golden row tells whether the packaged file answers as the trained network does: add photos"


def sides_compared(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - its limit is `drift`'s
    """Training and test side were compared, unless one is too small for drift to mean anything.

    That `validate` passes the comparison over is right there, and only there: `enough_test_photos` decides whether so
    small a test side will do.
    """
    found = evidence.validation
    least = min(sum(each.train for each in found.classes), sum(each.test for each in found.classes))
    skipped = any(check.status == "SKIPPED" for check in found.checks)
    if least >= ENOUGH_TO_COMPARE and (skipped or not found.drift):
        yield (
            f"training and test side were not compared, though each has {ENOUGH_TO_COMPARE} photos or more: "
            f"let `validate.max_photos` be {ENOUGH_TO_COMPARE} at least, and {_AGAIN}"
        )


def sliced(evidence: BuildEvidence, policy: Policy) -> Iterator[str]:  # noqa: ARG001 - its limit is `slices`'
    """The model was judged on parts of the photos as well."""
    if not evidence.evaluation.slices:
        yield f"the model was not judged on any part of the photos, such as dark ones: {_AGAIN}"


RULES: Final[tuple[Callable[[BuildEvidence, Policy], Iterator[str]], ...]] = (
    one_model,
    one_lake,
    one_challenger,
    golden_rows,
    sides_compared,
    sliced,
)
