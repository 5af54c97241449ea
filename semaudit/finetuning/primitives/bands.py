"""What is added: noise of a random band of frequencies."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from semaudit.perturbations import Draw

_STREAM = 14
_OCTAVES = 0.7
"""Standard deviation of the band around its middle."""


def add_band(images: Tensor, strength: Tensor, draw: Draw) -> Tensor:
    """Add noise of about one octave and a half of frequencies, around a drawn one.

    x + strength * field, the same field for all channels of half the pictures and one a channel
    for the others. The field is normal noise whose spectrum is a Gaussian in the octaves around a
    middle between one cycle over the picture and half a cycle a pixel, at mean square 1. The
    strength is its root mean square, a fraction of full scale.
    """
    _, channels, height, width = images.shape
    picks = draw.uniform(2, 1, 1, 1, stream=_STREAM)
    noise = draw.normal(channels, height, width, stream=_STREAM)
    noise = torch.where(picks[:, 0] < 0.5, noise[:, :1], noise)
    octaves = _octaves(height, width, images.device)
    finest = float(octaves.max())
    middle = picks[:, 1] * finest
    mask = torch.exp(-((octaves - middle) / _OCTAVES).square() / 2)
    mask[..., 0, 0] = 0
    field = torch.fft.irfft2(torch.fft.rfft2(noise) * mask, s=(height, width))
    size = field.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    added: Tensor = strength * (field / size).to(images)
    return (images + added).clamp(0, 1)


@lru_cache(maxsize=16)
def _octaves(height: int, width: int, device: torch.device) -> Tensor:
    """Octaves above one cycle over the shorter side, (h, w // 2 + 1), of each frequency."""
    i = torch.fft.fftfreq(height, dtype=torch.float64)
    j = torch.fft.rfftfreq(width, dtype=torch.float64)
    radius = (i[:, None].square() + j.square()).sqrt()
    side = min(height, width)
    octaves = torch.log2((radius * side).clamp_min(1.0)).clamp_max(math.log2(max(side / 2, 1.0)))
    found: Tensor = octaves.float().to(device)
    return found
