"""What light and colour become: a random smooth curve for each channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.perturbations import Draw

_WAVES = 4
"""Half periods over the range [0, 1], of the finest part of a curve."""

_STREAM = 13
_SHARED = 0.75
"""Share of a curve's power that all channels have in common: light changes more than colour."""


def bend_colours(images: Tensor, strength: Tensor, draw: Draw) -> Tensor:
    """Send every brightness through a random smooth curve that keeps black and white.

    x + strength * sum over k to 4 of c_k sin(pi k x) / k, the c_k normal, partly the same for all
    channels. The curves may fall where the strength is large. The strength is the curve's expected
    root mean square away from the identity, a fraction of full scale.
    """
    channels = images.shape[1]
    shared = draw.normal(_WAVES, 1, stream=_STREAM) * math.sqrt(_SHARED)
    own = draw.normal(_WAVES, channels, stream=_STREAM + 100) * math.sqrt(1 - _SHARED)
    power = sum(1 / k**2 for k in range(1, _WAVES + 1)) / 2
    coefficients = (shared + own) / math.sqrt(power)  # (n, waves, channels)
    angle = images * math.pi
    # sin(k a) = 2 cos(a) sin((k - 1) a) - sin((k - 2) a): one sine and one cosine for all.
    twice, before, current = 2 * torch.cos(angle), torch.zeros_like(angle), torch.sin(angle)
    curve = torch.zeros_like(angle)
    for k in range(1, _WAVES + 1):
        curve = curve + coefficients[:, k - 1, :, None, None].to(images) / k * current
        before, current = current, twice * current - before
    return (images + strength * curve).clamp(0, 1)
