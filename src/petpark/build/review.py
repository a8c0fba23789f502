"""Gather everything that the build gate judges."""

from petpark import evidence, layout
from petpark.build.compare import compare
from petpark.config.policy import Policy


def review(champion: str, policy: Policy, seed: int) -> evidence.BuildEvidence:
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
        evidence.write(comparison, layout.COMPARISON)
    else:
        layout.COMPARISON.unlink(missing_ok=True)
    return evidence.BuildEvidence(
        validation=evidence.read(evidence.Validation, layout.VALIDATION),
        package=evidence.read(evidence.Package, layout.PACKAGE),
        evaluation=evidence.read(evidence.Evaluation, layout.EVALUATION),
        comparison=comparison,
    )
