"""Gather everything that the build gate judges."""

import sys

from petpark import files, layout
from petpark.build import lock, revisions
from petpark.build.compare import NoChampionError, compare
from petpark.config.policy import Policy
from petpark.errors import DataError
from petpark.evidence.build import BuildEvidence, Comparison
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package
from petpark.evidence.validation import Validation


def review(champion: str | None, policy: Policy, seed: int) -> BuildEvidence:
    """Read the evidence of the stages, and compare with the champion where there is one.

    Args:
        champion: Git revision whose model is to be beaten; None takes the committed model, if there is one.
        policy: its cost matrix prices the difference.
        seed: of the bootstrap.

    Raises:
        DataError: evidence is missing, not readable, or not that of what is checked out; or there is no such revision,
            or one was named whose model cannot be compared with.
        SetupError: this is no Git repository, or no DVC repository.
    """
    revisions.check()
    validation, package = Validation.read(layout.VALIDATION), Package.read(layout.PACKAGE)
    evaluation = Evaluation.read(layout.EVALUATION)
    _check_that_it_is_of_this_checkout(evaluation)
    comparison, why = _compared(champion, policy, seed)
    _keep(comparison)
    return BuildEvidence(
        validation=validation, package=package, evaluation=evaluation, comparison=comparison, uncompared=why
    )


def _check_that_it_is_of_this_checkout(evaluation: Evaluation) -> None:
    """A verdict on other evidence would be one on another model: there is none then.

    A fresh lock names the MD5 of each evidence file, and of the model that it was made from.
    """
    if reason := lock.stale():
        raise DataError(f"The evidence is not that of what is checked out ({reason}): run `make run`.")
    if layout.MODEL.is_file() and files.sha256(layout.MODEL) != evaluation.model.sha256:
        raise DataError(f"{layout.EVALUATION} is not about {layout.MODEL}: run `dvc repro -f evaluate`.")


def _compared(champion: str | None, policy: Policy, seed: int) -> tuple[Comparison | None, str]:
    """The comparison, or None and why there is none."""
    try:
        comparison = compare(champion or "HEAD", policy.cost, seed)
    except NoChampionError as error:
        if champion is not None:
            raise DataError(f"There is nothing to compare with, because {error}: name another champion.") from None
        return None, str(error)
    return comparison, "" if comparison else f"the model is that of {champion or 'HEAD'}"


def _keep(comparison: Comparison | None) -> None:
    """Write the comparison beside the other evidence; the verdict does not depend on it."""
    try:
        if comparison is not None:
            comparison.write(layout.COMPARISON)
        else:
            layout.COMPARISON.unlink(missing_ok=True)
    except OSError as error:
        print(f"petpark: {layout.COMPARISON} is not up to date ({error.strerror}).", file=sys.stderr)
