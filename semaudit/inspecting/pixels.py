"""Tensors as pixels for the eye, and a difference that it can see."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semaudit.inspecting.case import Array

FACTORS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""By what a difference is amplified for the eye."""

BRIGHT = 0.99
"""Quantile of a saliency map that is drawn brightest: single pixels would leave the rest dark."""


def amplified(clean: Tensor, changed: Tensor) -> tuple[Tensor, int]:
    """The difference about mid-grey, times the largest factor that keeps most of it in range."""
    difference = changed.double() - clean.double()
    large = float(np.quantile(difference.abs().numpy(), 0.99)) or float(difference.abs().max())
    factor = max((f for f in FACTORS if f * large <= 0.5), default=1)
    return (0.5 + factor * difference).clamp(0, 1), factor


def pixels(image: Tensor) -> Array:
    """(h, w, 3) of a colour picture, (h, w) of any other: the mean of its channels."""
    image = image.detach().to(torch.float64)
    shown = image.permute(1, 2, 0) if len(image) == 3 else image.mean(0)
    values: Array = shown.clamp(0, 1).numpy()
    return values


def brightest(maps: Array) -> float:
    """What saliency maps of one picture are drawn against, so that they share one scale."""
    return float(np.quantile(maps, BRIGHT)) or 1.0
