"""Augmentation of whole batches at once, on the device: crops, flips, light and mixup."""

import torch
from torch import Tensor
from torchvision.transforms import v2


def crop_and_flip(batch: Tensor, size: int, smallest: float) -> Tensor:
    """Cut a random part out of each photo, squash it to a square, and mirror half of them.

    The usual random resized crop (Szegedy et al., Going Deeper with Convolutions, 2014), as one affine sampling of
    the whole batch instead of one crop per photo.

    Args:
        batch: float [N, 3, C, C].
        size: side of the result in pixels.
        smallest: smallest share of the area that stays.

    Returns:
        float [N, 3, size, size].
    """
    n = len(batch)
    area = torch.empty(n).uniform_(smallest, 1)
    shape = torch.empty(n).uniform_(-0.29, 0.29).exp().clamp(area, 1 / area)  # 3/4 to 4/3, inside the photo
    wide, high = (area * shape).sqrt(), (area / shape).sqrt()
    left, top = (torch.rand(n) * 2 - 1) * (1 - wide), (torch.rand(n) * 2 - 1) * (1 - high)
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = wide * mirror, left
    theta[:, 1, 1], theta[:, 1, 2] = high, top
    grid = torch.nn.functional.affine_grid(theta.to(batch.device), [n, 3, size, size], align_corners=False)
    return torch.nn.functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def light(batch: Tensor, strength: float = 0.2) -> Tensor:
    """Vary brightness and contrast of each photo; float [N, 3, S, S], 0 to 255."""
    n = (len(batch), 1, 1, 1)
    bright, contrast = ((torch.rand(n) * 2 - 1) * strength + 1 for _ in range(2))
    mean = batch.mean((1, 2, 3), keepdim=True)
    return ((batch - mean) * contrast.to(batch.device) + mean * bright.to(batch.device)).clamp(0, 255)


def mixup(batch: Tensor, targets: Tensor, alpha: float, classes: int) -> tuple[Tensor, Tensor]:
    """Blend pairs of photos and their labels (Zhang et al., mixup, 2017); targets become [N, K] shares."""
    mixed: tuple[Tensor, Tensor] = v2.MixUp(alpha=alpha, num_classes=classes)(batch, targets)
    return mixed
