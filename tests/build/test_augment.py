"""Augmentation: crops keep the share that they promise, flips are mirrors, light stays light."""

import pytest
import torch
from torch import Tensor

from petpark.build import augment


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(11)


def noise(count: int = 64, size: int = 20) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(4)) * 255


def ramps(count: int, size: int) -> Tensor:
    """Pictures whose first channel tells how far to the right a pixel lies, and whose second how far down, 0 to 1."""
    places = (torch.arange(size) + 0.5) / size
    across, down = places.expand(size, size), places[:, None].expand(size, size)
    return torch.stack([across, down, torch.zeros(size, size)]).expand(count, 3, size, size).contiguous()


def extents(cropped: Tensor, channel: int) -> Tensor:
    """How much of the photo's width or height each crop [N, 3, S, S] shows; pixel centres lie half a pixel inside."""
    values, size = cropped[:, channel].flatten(1), cropped.shape[-1]
    return (values.amax(1) - values.amin(1)) * size / (size - 1)


@pytest.mark.parametrize("size", [16, 20, 33])
def test_a_crop_has_the_asked_size_and_no_colour_that_was_not_there(size: int) -> None:
    batch = noise()
    cropped = augment.crop_and_flip(batch, size, 0.3)
    assert cropped.shape == (64, 3, size, size)
    assert cropped.dtype == torch.float32
    assert cropped.min() >= batch.min() - 1e-3
    assert cropped.max() <= batch.max() + 1e-3


def test_a_crop_of_everything_is_the_photo_or_its_mirror() -> None:
    batch = noise()
    cropped = augment.crop_and_flip(batch, 20, 1.0)
    same = (cropped - batch).abs().amax((1, 2, 3)) < 0.01
    mirrored = (cropped - batch.flip(-1)).abs().amax((1, 2, 3)) < 0.01
    assert (same ^ mirrored).all()
    assert 16 < int(mirrored.sum()) < 48


@pytest.mark.parametrize("smallest", [0.2, 0.6, 0.9])
def test_a_crop_keeps_at_least_the_promised_share_in_a_natural_shape(smallest: float) -> None:
    cropped = augment.crop_and_flip(ramps(400, 64), 64, smallest)
    wide, high = extents(cropped, 0), extents(cropped, 1)
    area, shape = wide * high, wide / high
    assert area.min() > smallest - 0.03
    assert area.min() < smallest + 0.05
    assert area.max() > 0.95
    assert shape.min() > 0.73
    assert shape.max() < 1.37
    assert shape.std() > 0.02


def test_crops_lie_inside_the_photo_and_all_over_it() -> None:
    cropped = augment.crop_and_flip(ramps(400, 64), 64, 0.25)
    for channel in (0, 1):
        values = cropped[:, channel].flatten(1)
        low, high = values.amin(1) - 0.5 * extents(cropped, channel) / 64, values.amax(1)
        assert low.min() > -0.01
        assert high.max() < 1.01
        assert low.min() < 0.05
        assert high.max() > 0.95


def test_photos_are_mirrored_and_never_turned_upside_down() -> None:
    cropped = augment.crop_and_flip(ramps(100, 32), 32, 0.5)
    to_the_right = cropped[:, 0, 16, -1] > cropped[:, 0, 16, 0]
    assert 25 < int(to_the_right.sum()) < 75
    assert (cropped[:, 1, -1, 16] > cropped[:, 1, 0, 16]).all()


def test_the_same_seed_gives_the_same_crops_and_light() -> None:
    batch = noise(8)
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(augment.light(augment.crop_and_flip(batch, 16, 0.5)))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_light_without_strength_changes_nothing() -> None:
    batch = noise()
    torch.testing.assert_close(augment.light(batch, 0.0), batch)


def test_light_varies_brightness_and_contrast_of_each_photo_within_its_strength() -> None:
    batch = noise(200) * 0.2 + 100  # so that nothing is cut off at black or white
    changed = augment.light(batch, 0.2)
    bright = changed.mean((1, 2, 3)) / batch.mean((1, 2, 3))
    contrast = changed.std((1, 2, 3)) / batch.std((1, 2, 3))
    for factor in (bright, contrast):
        assert 0.799 < factor.min() < 0.83
        assert 1.17 < factor.max() < 1.201
    assert torch.corrcoef(torch.stack([bright, contrast]))[0, 1].abs() < 0.3


def test_light_stays_between_black_and_white() -> None:
    changed = augment.light(torch.cat([noise() * 0, noise() * 0 + 255, noise()]), 1.0)
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_mixup_blends_each_photo_with_a_neighbour_and_the_labels_alike() -> None:
    batch, targets = noise(6), torch.tensor([0, 1, 2, 0, 1, 2])
    mixed, shares = augment.mixup(batch, targets, 0.8, 3)
    assert mixed.shape == batch.shape
    assert shares.shape == (6, 3)
    torch.testing.assert_close(shares.sum(1), torch.ones(6))
    own = shares[0, 0]
    assert 0 < own < 1
    torch.testing.assert_close(mixed, own * batch + (1 - own) * batch.roll(1, 0))


def test_mixup_knows_labels_that_a_batch_lacks() -> None:
    _, shares = augment.mixup(noise(2), torch.tensor([4, 4]), 0.4, 7)
    torch.testing.assert_close(shares, torch.nn.functional.one_hot(torch.tensor([4, 4]), 7).float())
