"""Structural similarity with a uniform 7 x 7 window, as scikit-image computes it by default.

Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
similarity", 2004. A Gaussian window costs twenty times as much on a CPU and orders pictures alike.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2


class LocalMoments(NamedTuple):
    """Windowed mean and mean square of a batch, (n, c, h', w') each."""

    mean: Tensor
    square: Tensor


def _window(images: Tensor) -> tuple[int, int]:
    return min(WINDOW, images.shape[-2]), min(WINDOW, images.shape[-1])


def box_mean(images: Tensor) -> Tensor:
    """Mean over every whole window, (n, c, h, w) -> (n, c, h - 6, w - 6), separably."""
    n, c, height, width = images.shape
    rows, columns = _window(images)
    # One group a plane: depthwise convolution is ten times faster on a CPU with many groups.
    planes = images.reshape(1, n * c, height, width)
    kernel = images.new_ones(n * c, 1, rows, 1) / rows
    planes = F.conv2d(planes, kernel, groups=n * c)
    kernel = images.new_ones(n * c, 1, 1, columns) / columns
    planes = F.conv2d(planes, kernel, groups=n * c)
    return planes.view(n, c, *planes.shape[-2:])


def local_moments(images: Tensor) -> LocalMoments:
    """The windowed moments that SSIM needs of one side."""
    return LocalMoments(box_mean(images), box_mean(images.square()))


def mean_ssim(x: Tensor, y: Tensor, of_x: LocalMoments) -> Tensor:
    """Mean SSIM (n,) in [-1, 1] of images (n, c, h, w) in [0, 1]; 1 for equal images.

    The mean over channels and over whole windows, with the sample covariance: the figure of
    ``skimage.metrics.structural_similarity(..., data_range=1, channel_axis=0)``.
    """
    of_y = local_moments(y)
    product = box_mean(x * y)
    rows, columns = _window(x)
    unbias = rows * columns / max(rows * columns - 1, 1)
    mean_product = of_x.mean * of_y.mean
    squared_means = of_x.mean.square() + of_y.mean.square()
    covariance = (product - mean_product) * unbias
    variances = (of_x.square + of_y.square - squared_means) * unbias
    luminance = (2 * mean_product + _C1) / (squared_means + _C1)
    structure = (2 * covariance + _C2) / (variances + _C2)
    return (luminance * structure).flatten(1).mean(1).clamp(-1, 1)
