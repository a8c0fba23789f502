"""Photos that are unlike all others: drawings, notices, empty frames, things that no label is about.

The distance to the k-th nearest photo among the features of all (Y. Sun, Y. Ming, X. Zhu, Y. Li, Out-of-Distribution
Detection with Deep Nearest Neighbors, 2022), judged by what is usual for the photo's label: a modified z-score above
3.5 (B. Iglewicz, D. Hoaglin, How to Detect and Handle Outliers, 1993).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from petpark.build.audit.features import Features
from petpark.build.audit.material import UNSETTLED
from petpark.build.audit.suspects import FEWEST

FAR: Final = 3.5
_NEAR: Final = 10  # k
_REFERENCE: Final = 8192  # photos among which the nearest ones are sought
_CHUNK: Final = 1024
_DEVIATION: Final = 1.4826  # of a normal distribution, in median absolute deviations


def distances(features: Features, ids: Sequence[str], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each photo to its k-th nearest one that is no look-alike, as 1 - cosine, [N].

    Args:
        features: of N photos.
        ids: N ids: the nearest ones are sought among the photos with the smallest.
        groups: [N] photos with one number look alike.
    """
    known = np.sort(np.argsort(np.array(ids), kind="stable")[:_REFERENCE])
    reference, group = _unit(features[known]), groups[known]
    near = min(_NEAR, len(known))
    out = np.zeros(len(ids))
    parts = np.array_split(np.arange(len(ids)), -(-len(ids) // _CHUNK) or 1)
    for rows in tqdm(parts, "compare photos", unit="part", disable=None, leave=False):
        cosines = _unit(features[rows]) @ reference.T
        cosines[groups[rows][:, None] == group[None, :]] = -1.0
        if near:
            out[rows] = 1 - np.partition(cosines, -near, axis=1)[:, -near]
    return out.round(4)


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def strangeness(distance: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far each distance lies above what is usual for the photo's label, in robust deviations, [N].

    0 where nothing can be said: the label is rare or unsettled, or most of its photos are equally far.
    """
    out = np.zeros(len(distance))
    for label in np.unique(targets[targets != UNSETTLED]).tolist():
        rows = np.flatnonzero(targets == label)
        middle = np.median(distance[rows])
        spread = _DEVIATION * np.median(np.abs(distance[rows] - middle))
        if len(rows) >= FEWEST and spread > 0:
            out[rows] = (distance[rows] - middle) / spread
    return out.round(2)
