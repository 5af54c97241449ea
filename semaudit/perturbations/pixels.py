"""Small exact tools that the families share.

Everything on pixels here and in the families is built from operations that round the same way
wherever an image stands in a batch: elementwise ``+ - * /``, integers, or float64 rounded once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.perturbations.registry import Strength

_GRAIN = 2.0**20


def per_image(strength: Strength, images: Tensor) -> Tensor:
    """Return the strength as (n, 1, 1, 1) in the dtype and on the device of `images`."""
    if isinstance(strength, Tensor):
        return strength.to(images)
    return torch.full((len(images), 1, 1, 1), strength, dtype=images.dtype, device=images.device)


def double(values: Tensor) -> Tensor:
    """Return float64 values where there is float64: on the CPU for MPS, which has none."""
    return values.cpu().double() if values.device.type == "mps" else values.double()


def at_least_single(images: Tensor) -> Tensor:
    """Return the images in float32, or as they are where they are float64."""
    return images if images.dtype == torch.float64 else images.float()


def largest(strength: Strength) -> float:
    """Return the largest strength of the batch; for a tensor it waits for the device once."""
    return float(strength.amax().item()) if isinstance(strength, Tensor) else strength


def shorter_side(images: Tensor) -> int:
    """Return the smaller of height and width, in pixels."""
    return min(images.shape[-2:])


def mean(images: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the mean over `dims`, kept as size 1, the same bits in any order of summation.

    A float sum depends on how the reduction is split, which depends on the batch. Pixels are
    rounded to multiples of 2**-20 and summed as integers, which is associative.
    """
    detached = images.detach()
    count = detached[0].numel() if 1 in dims else images.shape[-2] * images.shape[-1]
    total = (detached * _GRAIN).round().to(torch.int64).sum(dims, keepdim=True)
    exact = (double(total) / (count * _GRAIN)).to(images)
    if not images.requires_grad:
        return exact
    smooth = images.mean(dims, keepdim=True)
    return exact + (smooth - smooth.detach())  # adds 0 to the value, and the gradient


def luma(images: Tensor) -> Tensor:
    """Return ITU-R BT.601 luma 0.299 R + 0.587 G + 0.114 B of (n, 3, h, w), as (n, 1, h, w)."""
    red, green, blue = images.chunk(3, dim=1)
    grey: Tensor = red * 0.299 + green * 0.587 + blue * 0.114
    return grey


def is_colour(images: Tensor) -> bool:
    """Whether the images have the three channels that colour needs."""
    return images.shape[1] == 3
