"""A checkout with Git, DVC, settings and evidence, and a dvc.lock that is the result of all that."""

from pathlib import Path

from dvc.repo import Repo

from petpark import layout
from petpark.evidence.build import BuildEvidence
from tests.build.data.repository import git

PARAMS = """seed: 3
ingest: {short_side: 40, batches: {}}
split: {validation_share: 0.25}
validate: {}
train: {}
package: {}
evaluate: {resamples: 100, gallery: 2}
"""
PIPELINE = """stages:
  judge:
    cmd: "false"
    params: [seed, train]
    metrics:
      - reports/validation.json: {cache: false}
      - reports/package.json: {cache: false}
      - reports/evaluation.json: {cache: false}
"""


def make(found: BuildEvidence) -> None:
    """Make the current folder such a checkout, in one commit."""
    layout.PARAMS.write_text(PARAMS)
    layout.POLICY.write_text("{}\n")
    Path("dvc.yaml").write_text(PIPELINE)
    git("init", "--quiet")
    Repo.init().close()
    reproduced(found)
    git("add", "--all")
    git("commit", "--quiet", "--message", "all of it")


def laid(found: BuildEvidence) -> None:
    """Write evidence where the stages would."""
    found.validation.write(layout.VALIDATION)
    found.package.write(layout.PACKAGE)
    found.evaluation.write(layout.EVALUATION)


def reproduced(found: BuildEvidence) -> None:
    """Write evidence as if the pipeline had run: dvc.lock knows it."""
    laid(found)
    with Repo() as repo:
        repo.commit(force=True)
