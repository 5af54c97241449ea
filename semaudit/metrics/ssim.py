"""Structural similarity with a uniform 7 x 7 window, as scikit-image computes it by default.

Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004. A Gaussian window costs twenty times as much on a CPU and orders pictures alike.

It is the dearest of all metrics, so it is arranged for few passes over memory. Every plane of the
batch becomes a channel of one image laid out channels last, the layout in which depthwise
convolution is fastest; the constants ride in the kernels, the biases and the clean side's cache.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 7
C1, C2 = 0.01**2, 0.03**2


class Reference(NamedTuple):
    """What SSIM needs of the clean images: planes (1, n * c, h, w), the rest over windows.

    With u = k / (k - 1) the factor that makes a variance of k samples unbiased:
    """

    planes: Tensor
    """The images themselves."""
    twice_mean: Tensor
    """2 mean(x)"""
    mean_squared: Tensor
    """mean(x)**2 + C1"""
    square: Tensor
    """u mean(x**2) + C2 + u C1"""
    floor: Tensor
    """C1, on the device"""


def _planes(images: Tensor) -> Tensor:
    n, c, height, width = images.shape
    return images.reshape(1, n * c, height, width).contiguous(memory_format=torch.channels_last)


def _window_mean(planes: Tensor, scale: float = 1.0, offset: float = 0.0) -> Tensor:
    """Mean over every whole window, times ``scale``, plus ``offset``."""
    count, height, width = planes.shape[1:]
    rows, columns = min(WINDOW, height), min(WINDOW, width)
    down = planes.new_full((count, 1, rows, 1), 1 / rows)
    across = planes.new_full((count, 1, 1, columns), scale / columns)
    bias = planes.new_full((count,), offset)
    return F.conv2d(F.conv2d(planes, down, groups=count), across, bias, groups=count)


def _unbias(images: Tensor) -> float:
    samples = min(WINDOW, images.shape[-2]) * min(WINDOW, images.shape[-1])
    return samples / max(samples - 1, 1)


def reference(images: Tensor) -> Reference:
    """Prepare the clean side, (n, c, h, w) in [0, 1]; it serves every probe and rung."""
    planes, unbias = _planes(images), _unbias(images)
    mean = _window_mean(planes)
    square = _window_mean(planes.square(), unbias, C2 + unbias * C1)
    return Reference(planes, 2 * mean, mean.square() + C1, square, planes.new_tensor(C1))


def mean_ssim(clean: Reference, images: Tensor) -> Tensor:
    """Mean SSIM (n,) in [-1, 1] of images (n, c, h, w) in [0, 1] with the clean ones.

    The mean over channels and over whole windows, with the sample covariance: the figure of
    ``skimage.metrics.structural_similarity(..., data_range=1, channel_axis=0)``. It is

        (2 mx my + C1) (2 cov + C2) / ((mx**2 + my**2 + C1) (var_x + var_y + C2)),

    with cov = u (mean(xy) - mx my) and var = u (mean(x**2) - mx**2).
    """
    planes, unbias = _planes(images), _unbias(images)
    mean = _window_mean(planes)
    structure = _window_mean(planes * clean.planes, 2 * unbias, C2 + unbias * C1)
    spread = _window_mean(planes.square(), unbias)
    luminance = torch.addcmul(clean.floor, clean.twice_mean, mean)
    brightness = torch.addcmul(clean.mean_squared, mean, mean)
    # In place from here: allocating costs more than computing.
    structure.sub_(luminance, alpha=unbias).mul_(luminance)
    spread.add_(clean.square).sub_(brightness, alpha=unbias).mul_(brightness)
    similarity = structure.div_(spread).mean((2, 3))
    return similarity.view(len(images), -1).mean(1).clamp(-1, 1)
