"""Label suspects: photos whose label a probe that never saw them, nor any photo like them, would not give.

Confident learning (C. Northcutt, L. Jiang, I. Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels,
2021) on out-of-fold probabilities of a linear probe.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from petpark.build import probe
from petpark.build.audit.features import Features
from petpark.build.audit.material import UNSETTLED

FOLDS: Final = 5
FEWEST: Final = 20  # photos of a label below which nothing is said of it: too few to know what is usual
_LEARNED: Final = 20_000  # photos that a probe is fitted to: what bounds memory; more hardly move it
_CHUNK: Final = 4096


@dataclass(frozen=True)
class Opinions:
    """What probes say of N photos that they did not learn from.

    Attributes:
        other: [N] index of the label that speaks most against a photo's own; of the most probable one where the photo
            has no label of its own.
        margin: [N] by how much that label is more probable than the photo's own; by how much it exceeds its threshold
            where the photo has none.
        confident: [N] whether `other` is as probable as it usually is among photos that bear it.
    """

    other: NDArray[np.int64]
    margin: NDArray[np.float64]
    confident: NDArray[np.bool_]


def folds(ids: Sequence[str], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Deal photos into folds by a hash of their ids; photos that look alike stay together.

    Args:
        ids: N ids.
        groups: [N] photos with one number look alike.

    Returns:
        [N] fold of each photo, 0 to FOLDS - 1, the same on every machine.
    """
    first: dict[int, str] = {}
    for photo_id, group in zip(ids, groups.tolist(), strict=True):
        first[group] = min(photo_id, first.get(group, photo_id))
    drawn = {group: hashlib.sha256(f"fold of {each}".encode()).digest()[0] % FOLDS for group, each in first.items()}
    return np.array([drawn[group] for group in groups.tolist()], np.int64)


def out_of_fold(
    features: Features, targets: NDArray[np.int64], ids: Sequence[str], groups: NDArray[np.int64], classes: int
) -> NDArray[np.float32]:
    """Probabilities [N, classes] of each photo by a probe that learned from the other folds.

    Args:
        features: of N photos.
        targets: [N] index of each label; photos that are UNSETTLED are judged and not learned from.
        ids: N ids: of too many photos the ones with the smallest are learned from.
        groups: [N] photos with one number look alike.
        classes: number of labels.
    """
    fold, order = folds(ids, groups), np.argsort(np.array(ids), kind="stable")
    learnable = order[targets[order] != UNSETTLED]
    probabilities = np.zeros((len(targets), classes), np.float32)
    for number in tqdm(range(FOLDS), "compare labels", unit="fold", disable=None, leave=False):
        rows = np.sort(learnable[fold[learnable] != number][:_LEARNED])
        judged = np.flatnonzero(fold == number)
        if len(rows) and len(judged):
            head = nn.Linear(features.width, classes)
            probe.fit(head, torch.from_numpy(features[rows]), torch.from_numpy(targets[rows]))
            for part in np.array_split(judged, -(-len(judged) // _CHUNK)):
                probabilities[part] = _ask(head, features[part])
    return probabilities


@torch.inference_mode()
def _ask(head: nn.Linear, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(head(torch.from_numpy(seen)).softmax(1).numpy(), np.float32)


def thresholds(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """How probable each label is on average among the photos that bear it, [K]; no probability reaches a rare one's."""
    count = np.bincount(targets[targets != UNSETTLED], minlength=probabilities.shape[1])
    out = np.full(probabilities.shape[1], 2.0)
    for label in np.flatnonzero(count >= FEWEST).tolist():
        out[label] = probabilities[targets == label, label].mean(dtype=np.float64)
    return out


def opinions(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> Opinions:
    """Say for each photo which other label speaks most against its own.

    A label is believed where it is at least as probable as on average among the photos that bear it, and more probable
    than the photo's own. Of several the most probable one is named. Photos of rare labels (under FEWEST) are in no
    doubt: a probe that saw a handful of them knows nothing.

    Args:
        probabilities: [N, K], out of fold.
        targets: [N] index of each label, or UNSETTLED.
    """
    n, classes = probabilities.shape
    known, limit = targets != UNSETTLED, thresholds(probabilities, targets)
    rows, own_label = np.arange(n), np.where(known, targets, 0)
    values = probabilities.astype(np.float64)
    own = np.where(known, values[rows, own_label], 0.0)
    values[rows[known], targets[known]] = -1.0
    believed = np.where(values >= limit, values, -1.0)
    confident = believed.max(1, initial=-1.0) > own
    other = np.where(confident, believed.argmax(1), values.argmax(1)) if classes else own_label
    margin = np.where(known, values[rows, other] - own, values[rows, other] - limit[other])
    rare = known & (limit[own_label] > 1)
    return Opinions(np.asarray(other, np.int64), np.where(rare, -1.0, margin.round(4)), confident & ~rare)
