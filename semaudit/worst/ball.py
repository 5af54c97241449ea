"""The sets in which a worst change of the pixels is looked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semaudit.perturbations import Draw

Norm = Literal["linf", "l2"]


@dataclass(frozen=True)
class Ball:
    """All pictures in [0, 1] within a radius of clean ones.

    The radius of L2 is a root mean square, as every strength is relative to the picture's size.
    """

    norm: Norm

    def project(self, images: Tensor, clean: Tensor, radius: float) -> Tensor:
        """The nearest pictures in the ball, or nearly so: after the ball, [0, 1] is cut off."""
        change = images - clean
        if self.norm == "linf":
            return (clean + change.clamp(-radius, radius)).clamp(0, 1)
        size = _rms(change)
        return (clean + change * (radius / size.clamp_min(radius))).clamp(0, 1)

    def uphill(self, gradient: Tensor) -> Tensor:
        """The step of size 1 along which a linear function of this gradient rises most."""
        if self.norm == "linf":
            return gradient.sign()
        return gradient / _rms(gradient).clamp_min(torch.finfo(gradient.dtype).tiny)

    def on_surface(self, field: Tensor) -> Tensor:
        """A change of size 1 out of a random field (n, c, h, w) of mean 0."""
        return field.sign() if self.norm == "linf" else field / _rms(field)


def drawn_in(ball: Ball, clean: Tensor, radius: float, draw: Draw, stream: int) -> Tensor:
    """A drawn place of the ball's surface, cut off at [0, 1], for pictures (n, c, h, w)."""
    # A draw keeps its fields; a search would pile up one a try.
    field = Draw(draw.keys).normal(*clean.shape[1:], stream=stream).to(clean)
    return ball.project(clean + radius * ball.on_surface(field), clean, radius)


def _rms(change: Tensor) -> Tensor:
    """Root mean square a picture, (n, 1, 1, 1)."""
    norm: Tensor = torch.linalg.vector_norm(change, dim=(1, 2, 3), keepdim=True)
    return norm / math.sqrt(change[0].numel())
