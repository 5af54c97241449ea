"""Soft focus and a shaking hand: each image convolved with a kernel of its own."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ive
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import double, largest, per_image, shorter_side
from semaudit.perturbations.registry import Strength, perturbation

_MOTION_MAX = 0.25


@perturbation(family="blur", max_strength=0.2)
def gaussian_blur(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Blur with a Gaussian whose standard deviation is strength x the shorter side.

    It is the discrete Gaussian exp(-t) I_k(t), t = sigma**2 (Lindeberg 1990, "Scale-space for
    discrete signals"): its variance is sigma**2 at every scale, where a sampled Gaussian does
    nothing at all below a third of a pixel, which is where a gentle blur of a small picture is.
    """
    strengths = strength.flatten().tolist() if isinstance(strength, Tensor) else [strength]
    side = shorter_side(images)
    kernels = torch.from_numpy(_gaussian_kernels(np.asarray(strengths) * side, side)).to(images)
    return convolve(convolve(images, kernels[:, None, :]), kernels[:, :, None])


@perturbation(family="blur", max_strength=_MOTION_MAX)
def motion_blur(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Smear along a line of length strength x the shorter side, in a drawn direction."""
    side = shorter_side(images)
    lengths = double(per_image(strength, images)) * side
    # As many points as the longest line needs, whatever the batch holds.
    steps = 2 * int(np.ceil(_MOTION_MAX * side)) + 1
    points = torch.linspace(-0.5, 0.5, steps, dtype=torch.float64, device=images.device)
    radius = min(int(np.ceil(largest(strength) * side / 2)) + 1, side)
    line = points.view(1, 1, -1, 1) * lengths
    across, down = (_splat(line * double(part), radius) for part in draw.direction())
    kernels = (down.mT @ across / steps).to(images.dtype)
    return convolve(images, kernels.squeeze(1))


def convolve(images: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each image with its kernel, (n or 1, odd kh, odd kw), mirrored at the borders.

    One group a plane: the sum over taps then runs in one order for any batch size. A single plane
    would take another path through the library, with other last bits, so it is doubled.
    """
    count, channels, height, width = images.shape
    padded = _mirror(_mirror(images, kernels.shape[-1] // 2, -1), kernels.shape[-2] // 2, -2)
    planes = padded.reshape(1, count * channels, *padded.shape[-2:])
    weights = kernels.expand(count, -1, -1).repeat_interleave(channels, dim=0).unsqueeze(1)
    if count * channels == 1:
        planes, weights = planes.expand(-1, 2, -1, -1), weights.expand(2, -1, -1, -1)
    result = F.conv2d(planes, weights, groups=planes.shape[1])
    return result[:, : count * channels].reshape(count, channels, height, width)


def _mirror(images: Tensor, width: int, dim: int) -> Tensor:
    """Pad `dim` with its own reflection about the pixel edges: b a | a b c | c b."""
    if width == 0:
        return images
    size = images.shape[dim]
    before, after = images.narrow(dim, 0, width), images.narrow(dim, size - width, width)
    return torch.cat((before.flip(dim), images, after.flip(dim)), dim)


def _gaussian_kernels(sigmas: np.ndarray, side: int) -> np.ndarray:
    """Discrete Gaussians, one a row, cut at about 4 sigma: (n, 2 * largest radius + 1) float64.

    Each row is cut at its own radius, so that it does not depend on its neighbours.
    """
    radii = np.minimum((4 * sigmas + 2.5).astype(int), side)
    steps = np.abs(np.arange(-radii.max(), radii.max() + 1))
    weights = ive(steps, sigmas[:, None] ** 2) * (steps <= radii[:, None])
    kernels: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return kernels


def _splat(places: Tensor, radius: int) -> Tensor:
    """The bilinear share of each place in each pixel of -radius..radius: (n, 1, places, pixels)."""
    pixels = torch.arange(-radius, radius + 1, dtype=places.dtype, device=places.device)
    return (1 - (places - pixels).abs()).clamp(min=0)
