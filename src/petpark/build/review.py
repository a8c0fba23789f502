"""Gather everything that the build gate judges."""

from petpark import layout
from petpark.build.compare import compare
from petpark.config.policy import Policy
from petpark.evidence.build import BuildEvidence
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package
from petpark.evidence.validation import Validation


def review(champion: str, policy: Policy, seed: int) -> BuildEvidence:
    """Read the evidence of the stages, and compare with the champion where there is one.

    Args:
        champion: Git revision whose model is to be beaten.
        policy: its cost matrix prices the difference.
        seed: of the bootstrap.

    Raises:
        DataError: evidence is missing or not readable, or there is no such revision.
    """
    comparison = compare(champion, policy.cost, seed)
    if comparison is not None:
        comparison.write(layout.COMPARISON)
    else:
        layout.COMPARISON.unlink(missing_ok=True)
    return BuildEvidence(
        validation=Validation.read(layout.VALIDATION),
        package=Package.read(layout.PACKAGE),
        evaluation=Evaluation.read(layout.EVALUATION),
        comparison=comparison,
    )
