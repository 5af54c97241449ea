"""Soft focus and a shaking hand: each image convolved with a kernel of its own.

A square, a disc or a line of light is the mean of the picture, read bilinearly, over all its
points: it grows from nothing without a threshold, also where it is smaller than a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy.special import ive
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import at_least_single, double, largest, per_image, shorter_side
from semaudit.perturbations.registry import Strength, perturbation

_MOTION_MAX = 0.25


@perturbation(family="blur", max_strength=0.2)
def gaussian_blur(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Blur with a Gaussian whose standard deviation is strength x the shorter side.

    It is the discrete Gaussian exp(-t) I_k(t), t = sigma**2 (Lindeberg 1990, "Scale-space for
    discrete signals"): its variance is sigma**2 at every scale, where a sampled Gaussian does
    nothing at all below a third of a pixel, which is where a gentle blur of a small picture is.
    """
    side = shorter_side(images)
    return _separable(images, _gaussian_kernels(_lengths(strength, images), side))


@perturbation(family="blur", max_strength=0.2)
def box_blur(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Replace each pixel by the mean over a square whose side is strength x the shorter side.

    The square's side w need not be whole pixels: each axis has the kernel (1 / w) times the
    integral over [-w/2, w/2] of the tent max(0, 1 - |x - k|), which is the moving average of the
    linearly interpolated picture.
    """
    return _separable(images, _box_kernels(_lengths(strength, images)))


@perturbation(family="blur", max_strength=0.2)
def defocus_blur(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Put the lens out of focus: a point becomes a disc, strength x the shorter side across.

    The circle of confusion (Potmesil and Chakravarty 1981, "A lens and aperture camera model for
    synthetic image generation"): each pixel is the mean of the picture, read bilinearly, over an
    even disc around it; its diameter need not be whole pixels.
    """
    discs = [_disc(diameter) for diameter in _lengths(strength, images).tolist()]
    return convolve(images, torch.from_numpy(_stacked(discs)).to(images))


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
    would take another path through the library, with other last bits, so it is doubled. Of half
    precision some processors sum otherwise for each width of the kernels, so it is widened.
    """
    count, channels, height, width = images.shape
    fine = at_least_single(images)
    padded = _mirror(_mirror(fine, kernels.shape[-1] // 2, -1), kernels.shape[-2] // 2, -2)
    planes = padded.reshape(1, count * channels, *padded.shape[-2:])
    weights = kernels.to(fine).expand(count, -1, -1).repeat_interleave(channels, dim=0).unsqueeze(1)
    if count * channels == 1:
        planes, weights = planes.expand(-1, 2, -1, -1), weights.expand(2, -1, -1, -1)
    result = F.conv2d(planes, weights, groups=planes.shape[1])
    return result[:, : count * channels].reshape(count, channels, height, width).to(images.dtype)


def _mirror(images: Tensor, width: int, dim: int) -> Tensor:
    """Pad `dim` with its own reflection about the pixel edges: b a | a b c | c b."""
    if width == 0:
        return images
    size = images.shape[dim]
    before, after = images.narrow(dim, 0, width), images.narrow(dim, size - width, width)
    return torch.cat((before.flip(dim), images, after.flip(dim)), dim)


def _separable(images: Tensor, kernels: np.ndarray) -> Tensor:
    """Convolve along both axes with kernels (n or 1, odd length)."""
    rows = torch.from_numpy(kernels).to(images)
    return convolve(convolve(images, rows[:, None, :]), rows[:, :, None])


def _lengths(strength: Strength, images: Tensor) -> np.ndarray:
    """The strength in pixels, one or one an image: float64.

    Rounded to the dtype of the images, so that a number and a tensor of it are the same length.
    """
    given = strength if isinstance(strength, Tensor) else torch.tensor(strength)
    rounded = given.to(images.dtype).flatten().tolist()
    return np.asarray(rounded) * shorter_side(images)


def _gaussian_kernels(sigmas: np.ndarray, side: int) -> np.ndarray:
    """Discrete Gaussians, one a row, cut at about 4 sigma: (n, 2 * largest radius + 1) float64.

    Each row is cut at its own radius, so that it does not depend on its neighbours.
    """
    radii = np.minimum((4 * sigmas + 2.5).astype(int), side)
    steps = np.abs(np.arange(-radii.max(), radii.max() + 1))
    weights = ive(steps, sigmas[:, None] ** 2) * (steps <= radii[:, None])
    kernels: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return kernels


def _box_kernels(widths: np.ndarray) -> np.ndarray:
    """Means of tents over [-w/2, w/2], one a row: (n, odd length) float64."""
    kernels = _tent_integral(widths[:, None] / 2, _reach(widths.max())) / widths[:, None]
    return np.asarray(kernels)


@lru_cache(maxsize=64)
def _disc(diameter: float) -> np.ndarray:
    """Means of bilinear tents over a disc: (k, k) float64, k odd; shared, not to be written.

    A sum over chords y = r sin(angle), whose half length is r cos(angle). Along a chord the
    integral is exact; the chords are dense enough for 1e-4 of the kernel's largest weight.
    """
    chords = 128 * (int(np.ceil(diameter)) + 1)
    angles = ((np.arange(chords) + 0.5) / chords - 0.5) * np.pi
    reach = _reach(diameter)
    places, halves = np.sin(angles) * diameter / 2, np.cos(angles) * diameter / 2
    down = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(-reach, reach + 1)))
    kernel = (down * np.cos(angles)[:, None]).T @ _tent_integral(halves[:, None], reach)
    even = kernel + kernel.T  # by chords along the other axis too: alike in both
    return np.asarray(even / even.sum())


def _tent_integral(halves: np.ndarray, reach: int) -> np.ndarray:
    """The integral of max(0, 1 - |x - k|) over [-half, half], for each k in -reach..reach."""
    pixels = np.arange(-reach, reach + 1)

    def up_to(x: np.ndarray) -> np.ndarray:
        near = np.clip(x, -1, 1)
        return np.asarray(0.5 + near - near * np.abs(near) / 2)

    return np.asarray(up_to(halves - pixels) - up_to(-halves - pixels))


def _reach(length: float) -> int:
    """How many pixels from its middle a figure that is `length` across still touches."""
    return int(np.ceil(length / 2))


def _stacked(kernels: Sequence[np.ndarray]) -> np.ndarray:
    """Square kernels of odd sides, each framed by zeros to the largest: (n, k, k)."""
    side = max(len(kernel) for kernel in kernels)
    return np.stack([np.pad(kernel, (side - len(kernel)) // 2) for kernel in kernels])


def _splat(places: Tensor, radius: int) -> Tensor:
    """The bilinear share of each place in each pixel of -radius..radius: (n, 1, places, pixels)."""
    pixels = torch.arange(-radius, radius + 1, dtype=places.dtype, device=places.device)
    return (1 - (places - pixels).abs()).clamp(min=0)
