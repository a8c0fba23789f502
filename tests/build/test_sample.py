import hashlib
import json
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from petpark import images
from petpark.build import archive, photo
from petpark.build.sample import draw_batch, draw_sample

FIRST, SECOND, ACCEPTANCE = "sample-1", "sample-2", "sample-acceptance"
RECIPE = photo.Recipe(short_side=64, quality=70, max_pixels=images.MAX_PIXELS)

Files = dict[str, bytes]
Key = tuple[str, str, str]  # id, batch, label


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return draw_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def batches(archives: dict[str, Path]) -> dict[str, Files]:
    return {name: read(path) for name, path in archives.items()}


@pytest.fixture(scope="module")
def verdicts(batches: dict[str, Files]) -> dict[str, dict[str, photo.Verdict]]:
    return {
        name: {path: photo.examine(data, RECIPE) for path, data in members.items()} for name, members in batches.items()
    }


def read(path: Path) -> Files:
    data = path.read_bytes()
    return {
        f"{each.label}/{each.name.partition('/')[2]}": data[each.offset : each.offset + each.size]
        for each in archive.members(path)
    }


def label(path: str) -> str:
    return path.partition("/")[0]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def distance(one: photo.Verdict, other: photo.Verdict) -> int:
    assert one.phash is not None
    assert other.phash is not None
    return (one.phash ^ other.phash).bit_count()


def test_the_archives_are_named_after_the_batches(archives: dict[str, Path]) -> None:
    assert {name: path.name for name, path in archives.items()} == {
        FIRST: "sample-1.tar",
        SECOND: "sample-2.tar",
        ACCEPTANCE: "sample-acceptance.tar",
    }
    folder = archives[FIRST].parent
    assert sorted(each.name for each in folder.iterdir()) == sorted(path.name for path in archives.values())


def test_another_process_draws_the_same_bytes(batches: dict[str, Files]) -> None:
    program = (
        "import hashlib; from petpark.build.sample import draw_batch;"
        "[print(path, hashlib.sha256(data).hexdigest()) for path, data in draw_batch('sample-2', 7).items()]"
    )
    again = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert again.stdout.splitlines() == [f"{path} {digest(data)}" for path, data in batches[SECOND].items()]


def test_a_folder_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no folder")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        draw_sample(tmp_path / "notes.txt")


def test_another_seed_draws_other_pictures(batches: dict[str, Files]) -> None:
    other = draw_batch(ACCEPTANCE, seed=8)
    assert len(other) == len(batches[ACCEPTANCE])
    assert not set(other.values()) & set(batches[ACCEPTANCE].values())


@pytest.mark.parametrize(("name", "cats_and_dogs"), [(FIRST, 1420), (SECOND, 868), (ACCEPTANCE, 250)])
def test_labels_are_balanced(batches: dict[str, Files], name: str, cats_and_dogs: int) -> None:
    assert Counter(map(label, batches[name])) == {"cat": cats_and_dogs // 2, "dog": cats_and_dogs // 2}


def test_members_lie_in_the_order_of_their_paths_and_tell_nothing_of_the_machine(archives: dict[str, Path]) -> None:
    for path in archives.values():
        with tarfile.open(path, "r:") as tar:
            members = tar.getmembers()
        *photos, last = [member.name for member in members]
        assert photos == sorted(photos)
        assert last == "provenance.json"
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


def test_provenance_says_that_the_pictures_are_drawn(archives: dict[str, Path], batches: dict[str, Files]) -> None:
    for name, path in archives.items():
        with tarfile.open(path) as tar:
            file = tar.extractfile("provenance.json")
            assert file is not None
            provenance = json.load(file)
        assert provenance == {"source": "drawn by `petpark sample`", "seed": 7, "photos": len(batches[name])}


def test_the_sample_is_small_enough_for_git_and_large_enough_to_test_on(
    archives: dict[str, Path], batches: dict[str, Files]
) -> None:
    assert sum(path.stat().st_size for path in archives.values()) <= 4_500_000
    different = {digest(data) for name in (FIRST, SECOND) for data in batches[name].values()}
    assert 0.2 * len(different) >= 440


def test_every_file_is_called_a_jpeg(batches: dict[str, Files]) -> None:
    assert all(path.endswith(".jpg") for members in batches.values() for path in members)


def test_the_odd_files_are_there_and_are_noticed(verdicts: dict[str, dict[str, photo.Verdict]]) -> None:
    reasons = {name: Counter(each.reason for each in found.values() if each.reason) for name, found in verdicts.items()}
    assert reasons == {FIRST: {"damaged": 2, "empty": 1, "not-an-image": 1}, SECOND: {}, ACCEPTANCE: {}}


def test_the_damaged_files_are_one_cut_short_and_one_with_zeros(
    batches: dict[str, Files], verdicts: dict[str, dict[str, photo.Verdict]]
) -> None:
    damaged = [batches[FIRST][path] for path, each in verdicts[FIRST].items() if each.reason == "damaged"]
    ends = b"\xff\xd9"
    (cut,) = (data for data in damaged if not data.endswith(ends))
    (zeroed,) = (data for data in damaged if data.endswith(ends))
    assert bytes(64) not in cut
    assert bytes(64) in zeroed


def test_a_gif_named_jpg_is_a_good_picture(verdicts: dict[str, dict[str, photo.Verdict]]) -> None:
    formats = {name: Counter(each.format for each in found.values()) for name, found in verdicts.items()}
    assert formats[FIRST]["GIF"] == 1
    assert formats[SECOND].keys() == formats[ACCEPTANCE].keys() == {"JPEG"}


def test_one_picture_stands_under_both_labels(batches: dict[str, Files]) -> None:
    labels: dict[str, set[str]] = {}
    for name in (FIRST, SECOND):
        for path, data in batches[name].items():
            labels.setdefault(digest(data), set()).add(label(path))
    assert sum(len(found) > 1 for found in labels.values()) == 1


@pytest.mark.parametrize(("name", "copies"), [(FIRST, 8 + 1), (SECOND, 4)])
def test_a_batch_holds_some_bytes_twice(batches: dict[str, Files], name: str, copies: int) -> None:
    found = Counter(digest(data) for data in batches[name].values())
    assert sum(found.values()) - len(found) == copies  # the picture under both labels is one of them
    assert max(found.values()) == 2


def test_the_second_batch_repeats_bytes_of_the_first_under_the_same_label(batches: dict[str, Files]) -> None:
    first = {(label(path), digest(data)) for path, data in batches[FIRST].items()}
    second = [(label(path), digest(data)) for path, data in batches[SECOND].items()]
    assert sum(each in first for each in second) == 8


def test_pictures_look_alike_only_where_they_are_meant_to(verdicts: dict[str, dict[str, photo.Verdict]]) -> None:
    found = {
        (each.id, name, label(path)): each
        for name, members in verdicts.items()
        for path, each in members.items()
        if each.reason is None
    }
    alike = close_pairs(found, 8)
    assert Counter((one[1], other[1]) for one, other in alike) == {(FIRST, FIRST): 6, (FIRST, SECOND): 6}
    assert all(one[2] == other[2] for one, other in alike)
    assert max(distance(found[one], found[other]) for one, other in alike) <= 4


def close_pairs(found: dict[Key, photo.Verdict], limit: int) -> list[tuple[Key, Key]]:
    """Pairs of different bytes whose hashes differ in at most so many bits."""
    keys = list(found)
    hashes = np.array([found[key].phash for key in keys], np.uint64)
    pairs = []
    for i, value in enumerate(hashes):
        near = np.flatnonzero(np.bitwise_count(hashes[i + 1 :] ^ value) <= limit) + i + 1
        pairs += [(keys[i], keys[j]) for j in near.tolist() if keys[i][0] != keys[j][0]]
    return pairs


def test_no_acceptance_picture_is_in_a_training_batch(batches: dict[str, Files]) -> None:
    training = {digest(data) for name in (FIRST, SECOND) for data in batches[name].values()}
    acceptance = [digest(data) for data in batches[ACCEPTANCE].values()]
    assert len(set(acceptance)) == len(acceptance)
    assert not training & set(acceptance)


def test_acceptance_pictures_are_darker(verdicts: dict[str, dict[str, photo.Verdict]]) -> None:
    light = {
        name: np.mean([each.brightness for each in found.values() if each.brightness is not None])
        for name, found in verdicts.items()
    }
    assert light[FIRST] == pytest.approx(light[SECOND], abs=0.03)
    assert 0.75 * light[FIRST] < light[ACCEPTANCE] < 0.95 * light[FIRST]


def test_pictures_have_several_sizes_and_some_are_larger_than_stored(
    verdicts: dict[str, dict[str, photo.Verdict]],
) -> None:
    for found in verdicts.values():
        sizes = Counter((each.width, each.height) for each in found.values() if each.reason is None)
        assert set(sizes) == {(64, 64), (80, 64), (64, 80), (120, 96)}
        assert sizes[120, 96] / sizes.total() == pytest.approx(0.05, abs=0.03)


def test_pictures_are_bright_and_dark_grey_and_coloured(verdicts: dict[str, dict[str, photo.Verdict]]) -> None:
    good = [each for each in verdicts[FIRST].values() if each.reason is None]
    brightness = np.array([each.brightness for each in good], np.float64)
    saturation = np.array([each.saturation for each in good], np.float64)
    assert np.percentile(brightness, 2) < 0.3
    assert np.percentile(brightness, 98) > 0.7
    assert 0.02 < np.mean(saturation < 0.01) < 0.12


def test_labels_can_be_learned_but_not_by_a_linear_model(batches: dict[str, Files]) -> None:
    train, train_labels = pixels(batches[SECOND])
    test, test_labels = pixels(batches[ACCEPTANCE])
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    weights = np.linalg.solve(train.T @ train + 1000 * np.eye(train.shape[1]), train.T @ train_labels)
    accuracy = np.mean(np.sign(test @ weights) == test_labels)
    assert 0.6 < accuracy < 0.85


def pixels(members: Files) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pictures as [N, 768] and their labels as -1 and 1."""
    small = [images.prepare(images.decode(data).pixels, 16).ravel() for data in members.values()]
    return np.array(small, np.float64), np.array([1.0 if label(path) == "dog" else -1.0 for path in members])
