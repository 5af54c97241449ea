"""How neighbours mix: a random small linear filter."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations import Draw

_SIDE = 5
"""Pixels a side of the filter."""

_STREAM = 12


def mix_neighbours(images: Tensor, strength: Tensor, draw: Draw) -> Tensor:
    """Add a random linear mix of each pixel's neighbours: softer, sharper, smeared, or none of it.

    x * (delta + strength * w), w normal of 5 x 5 that falls off from the middle, less its mean:
    the filter sums to 1, so that flat parts stay as they are. The same filter for all channels.
    The strength is the root mean square of all of strength * w together, before the mean is taken
    out. Mirrored at the borders.
    """
    n, _, height, width = images.shape
    offsets = torch.arange(_SIDE, dtype=torch.float32, device=images.device) - _SIDE // 2
    window = torch.exp(-(offsets[:, None].square() + offsets.square()) / 2)
    taps = draw.normal(_SIDE, _SIDE, stream=_STREAM) * window / window.square().sum().sqrt()
    # What is subtracted must not reach further than the window.
    taps = taps - window / window.sum() * taps.sum((1, 2), keepdim=True)
    kernels = taps[:, None] * strength.float()
    pad = _SIDE // 2
    mode = "reflect" if min(height, width) > pad else "replicate"
    padded = F.pad(images, (pad,) * 4, mode=mode).transpose(0, 1)
    # One group a picture; its channels are the batch.
    mixed = F.conv2d(padded, kernels.to(images), groups=n).transpose(0, 1)
    return (images + mixed).clamp(0, 1)
