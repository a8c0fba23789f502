"""Groups of near-duplicates: exact, fast, and bounded in memory."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from petpark.build.neighbours import near_duplicates

Hashes = NDArray[np.uint64]


def brute_force(hashes: Hashes, distance: int) -> list[int]:
    """Compare everything with everything, and follow the pairs."""
    near = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= distance
    groups = [-1] * len(hashes)
    count = 0
    for start in range(len(hashes)):
        if groups[start] >= 0:
            continue
        todo = [start]
        while todo:
            place = todo.pop()
            if groups[place] < 0:
                groups[place] = count
                todo += np.flatnonzero(near[place]).tolist()
        count += 1
    return groups


def flipped(hashes: Hashes, flips: int, rng: np.random.Generator) -> Hashes:
    """Flip so many random bits of each hash (some of them twice)."""
    for _ in range(flips):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, len(hashes)).astype(np.uint64))
    return hashes


def random_hashes(count: int, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@st.composite
def clustered(draw: st.DrawFn) -> Hashes:
    """Hashes around a few centres, so that all distances that matter occur."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    changes = draw(
        st.lists(st.tuples(st.sampled_from(centres), st.sets(st.integers(0, 63), max_size=12)), min_size=1, max_size=40)
    )
    return np.array([centre ^ sum(1 << bit for bit in bits) for centre, bits in changes], np.uint64)


@settings(max_examples=120, deadline=None)
@given(hashes=clustered(), distance=st.integers(0, 15))
def test_groups_are_those_of_comparing_everything_with_everything(hashes: Hashes, distance: int) -> None:
    assert near_duplicates(hashes, distance).tolist() == brute_force(hashes, distance)


@pytest.mark.parametrize("distance", [0, 3, 4, 7, 8, 13, 15])
def test_groups_among_many_random_hashes_are_exact(distance: int) -> None:
    rng = np.random.default_rng(distance)
    hashes = np.concatenate([random_hashes(700), flipped(random_hashes(700), distance + 1, rng)])
    rng.shuffle(hashes)
    assert near_duplicates(hashes, distance).tolist() == brute_force(hashes, distance)


@pytest.mark.parametrize("distance", range(16))
def test_a_pair_is_found_at_the_distance_and_not_beyond(distance: int) -> None:
    rng = np.random.default_rng(7)
    hashes = random_hashes(60)
    for flips, expected in ((distance, 60), (distance + 1, 120)):
        places = [rng.permutation(64)[:flips].tolist() for _ in hashes]
        others = hashes ^ np.array([sum(1 << place for place in each) for each in places], np.uint64)
        groups = near_duplicates(np.concatenate([hashes, others]), distance)
        assert groups.max() + 1 == expected


def test_groups_are_transitive_and_numbered_as_they_begin() -> None:
    hashes = np.array([0b1111 << 40, 0, 0b1, 0b11, 0b111, 0b1111 << 40, 2**63], np.uint64)
    assert near_duplicates(hashes, 1).tolist() == [0, 1, 1, 1, 1, 0, 1]
    assert near_duplicates(hashes[::-1], 1).tolist() == [0, 1, 0, 0, 0, 0, 1]


def test_no_hash_and_a_single_one_are_no_special_case() -> None:
    assert near_duplicates(np.array([], np.uint64), 4).tolist() == []
    assert near_duplicates(np.array([2**64 - 1], np.uint64), 15).tolist() == [0]


def test_a_hundred_thousand_black_frames_are_one_group_at_once() -> None:
    start = time.perf_counter()
    assert near_duplicates(np.zeros(100_000, np.uint64), 15).max() == 0
    assert time.perf_counter() - start < 1


def test_a_hundred_thousand_hashes_take_seconds() -> None:
    hashes = random_hashes(100_000)
    hashes[50_000:60_000] = flipped(hashes[:10_000], 4, np.random.default_rng(1))
    start = time.perf_counter()
    groups = near_duplicates(hashes, 4)
    assert time.perf_counter() - start < 5
    assert groups[50_000:60_000].tolist() == groups[:10_000].tolist()
    assert groups.max() + 1 == 90_000


def test_many_groups_of_similar_frames_are_found_quickly() -> None:
    scenes = random_hashes(500, seed=3).repeat(60)
    start = time.perf_counter()
    groups = near_duplicates(flipped(scenes, 2, np.random.default_rng(2)), 4)
    assert time.perf_counter() - start < 5
    assert groups.tolist() == np.arange(500).repeat(60).tolist()


@pytest.mark.parametrize("bits", [13, 22])
def test_hashes_that_share_most_bits_do_not_fill_the_memory(bits: int) -> None:
    hashes = np.random.default_rng(bits).integers(0, 2**bits, 12_000).astype(np.uint64) << np.uint64(21)
    tracemalloc.start()
    groups = near_duplicates(hashes, 4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 250e6
    assert groups.tolist() == [0] * 12_000
