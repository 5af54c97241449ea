"""Gradient magnitude similarity deviation: a perceptual distance without a learned network.

Xue, Zhang, Mou, Bovik, "Gradient Magnitude Similarity Deviation: A Highly Efficient Perceptual
Image Quality Index", 2014.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from semaudit.perturbations.pixels import is_colour, luma

_STABILISER = 170 / 255**2
"""The paper's constant of 170, for values in [0, 1] and not in [0, 255]."""


def gmsd(clean: Tensor, changed: Tensor) -> Tensor:
    """Return the distance (n,) in [0, 1] of images (n, c, h, w) in [0, 1] from the clean ones.

    The standard deviation over the picture of

        (2 g g' + c) / (g**2 + g'**2 + c),

    g and g' the magnitudes of the Prewitt gradient of luma at half the resolution. Other than
    three channels are averaged. Near 0.05 a trained eye sees a difference; 0.3 is a ruin.
    """
    one, other = _magnitude(clean), _magnitude(changed)
    similarity = (2 * one * other + _STABILISER) / (one.square() + other.square() + _STABILISER)
    return similarity.flatten(1).std(1, correction=0)


def _magnitude(images: Tensor) -> Tensor:
    grey = luma(images) if is_colour(images) else images.mean(1, keepdim=True)
    halved = F.avg_pool2d(grey, 2, ceil_mode=True)
    across = halved.new_tensor([[1.0, 0.0, -1.0]] * 3).div(3)
    kernels = halved.new_empty(2, 1, 3, 3)
    kernels[0, 0], kernels[1, 0] = across, across.T
    gradients = F.conv2d(F.pad(halved, (1, 1, 1, 1), mode="replicate"), kernels)
    return gradients.square().sum(1).sqrt()
