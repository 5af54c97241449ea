"""Mixtures of two pictures, on which the original's answers are an anchor, too.

A few pictures say little of the original; its answers on what lies between them say more. Function
matching (Beyer et al. 2022, "Knowledge distillation: A good teacher is patient and consistent") on
mixtures (Zhang et al. 2018, "mixup: Beyond empirical risk minimization").
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.perturbations import Draw

_PICKS = 3000
"""The stream of shares and reflections; no change draws from it."""


def partners(count: int) -> Tensor:
    """Which picture of a batch each is mixed with, (count,): two of each pair with one another.

    They depend on places in the batch alone, not on the parts in which it is taken. A last one that
    has no partner is its own.
    """
    return (torch.arange(count) ^ 1).clamp_max(count - 1)


def mixtures(images: Tensor, others: Tensor, draw: Draw) -> Tensor:
    """s x + (1 - s) y, (n, c, h, w), of images x and others y; s uniform in [0, 1], for each.

    Half of the time both are mirrored.
    """
    picks = draw.uniform(2, stream=_PICKS).to(images.dtype)
    share, mirror = (each.view(-1, 1, 1, 1) for each in picks.unbind(1))
    mixed = torch.lerp(others, images, share)
    return torch.where(mirror < 0.5, mixed.flip(-1), mixed)
