"""Find photos that look alike: all pairs of 64-bit hashes within a Hamming radius, and the groups that they form.

Multi-index hashing (M. Norouzi, A. Punjani, D. Fleet, Fast Search in Hamming Space with Multi-Index Hashing, 2012):
two hashes that differ in few bits differ in very few within one of four chunks, and chunks of 16 bits can be looked up
directly.
"""

from collections.abc import Iterator
from itertools import combinations, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_CHUNKS: Final = 4
_BITS: Final = 16
_BLOCK: Final = 1 << 18  # candidate pairs examined at once: they stay in the cache
_BLOCKS: Final = 8  # blocks whose near pairs are merged at once: merging takes time, and waiting takes memory

_Numbers = NDArray[np.int64]
_Pairs = tuple[_Numbers, _Numbers]


def near_duplicates(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Group hashes that differ in at most `distance` bits, transitively.

    Exact for every distance, whatever the hashes; fast for distances up to 15. Memory is bounded: it does not grow with
    the number of pairs.

    Args:
        hashes: uint64 [N].
        distance: the Hamming radius.

    Returns:
        [N] group numbers, counted from 0 in the order in which groups begin.
    """
    distinct, places = np.unique(hashes, return_inverse=True)
    groups = np.arange(len(distinct))
    pairs = _pairs(distinct, distance)
    while blocks := tuple(islice(pairs, _BLOCKS)):
        left, right = (np.concatenate(side) for side in zip(*blocks, strict=True))
        groups = _merge(groups, left, right)
    return _renumber(groups[places])


def _pairs(hashes: NDArray[np.uint64], distance: int) -> Iterator[_Pairs]:
    """Yield all pairs within the radius, a bounded number at a time; pairs may come more than once."""
    radius, spare = divmod(distance, _CHUNKS)
    for number, chunk in enumerate(_chunks(hashes)):
        order = np.argsort(chunk, kind="stable")
        ordered = hashes[order]
        # 4 r + s differing bits: at most r in one of the first s + 1 chunks, or at most r - 1 in one of the others
        for left, right in _candidates(chunk[order], radius if number <= spare else radius - 1):
            near = np.flatnonzero(np.bitwise_count(ordered[left] ^ ordered[right]) <= distance)
            yield order[left[near]], order[right[near]]


def _chunks(hashes: NDArray[np.uint64]) -> Iterator[NDArray[np.uint16]]:
    """Deal the bits out into four chunks, [N] each; the telling ones evenly, as skewed bits make crowded lookups."""
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    order = np.argsort(np.abs(bits.mean(axis=0) - 0.5), kind="stable") if len(bits) else np.arange(64)
    for chunk in range(_CHUNKS):
        dealt = np.packbits(bits[:, order[chunk::_CHUNKS]], axis=1)
        yield np.ascontiguousarray(dealt).view(np.uint16).ravel()


def _candidates(chunk: NDArray[np.uint16], radius: int) -> Iterator[_Pairs]:
    """Yield all pairs of places in a sorted chunk that differ in at most `radius` bits, each once."""
    keys = chunk.astype(np.int64)
    starts = np.searchsorted(keys, np.arange((1 << _BITS) + 1))
    after = np.arange(len(keys)) + 1
    for mask in _masks(radius):
        other = keys ^ mask
        first = np.maximum(starts[other], after)  # each pair once, and none with itself
        yield from _ranges(first, np.maximum(starts[other + 1], first))


def _masks(radius: int) -> Iterator[int]:
    """Yield the 16-bit numbers with at most `radius` bits set."""
    for count in range(radius + 1):
        for places in combinations(range(_BITS), count):
            yield sum(1 << place for place in places)


def _ranges(first: _Numbers, end: _Numbers) -> Iterator[_Pairs]:
    """Yield all (i, j) with first[i] <= j < end[i], about a block at a time."""
    rows = np.flatnonzero(end > first)
    first, counts = first[rows], (end - first)[rows]
    ends = np.cumsum(counts)
    row = 0
    while row < len(rows):
        done = int(ends[row] - counts[row])
        stop = max(row + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        part = slice(row, stop)
        shift = first[part] - (ends[part] - counts[part] - done)
        right = np.arange(int(ends[stop - 1]) - done) + np.repeat(shift, counts[part])
        yield np.repeat(rows[part], counts[part]), right
        row = stop


def _merge(groups: _Numbers, left: _Numbers, right: _Numbers) -> _Numbers:
    """Join the groups of each pair; [N] new group numbers."""
    one, two = groups[left], groups[right]
    apart = one != two
    if not apart.any():
        return groups
    size = int(groups.max()) + 1
    graph = coo_array((np.ones(int(apart.sum()), bool), (one[apart], two[apart])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)[groups]


def _renumber(groups: _Numbers) -> _Numbers:
    _, first, places = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first)), np.int64)[places]
