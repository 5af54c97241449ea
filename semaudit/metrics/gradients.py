"""Metrics of the input gradient along a ladder: how far it turned and how much it changed.

NaN where no gradient was taken, or where one of the two is zero or not finite. The gradient is the
one by the picture as the model got it, of the clean class's logit throughout; that of the loss is
taken at the last rung of a ladder.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.metrics.registry import rung_metric
from semaudit.metrics.views import Rung, precise

INF = float("inf")


@rung_metric(bounds=(0, 2), needs_classes=True, needs_gradients=True)
def gradient_turn(rung: Rung) -> Tensor:
    """1 - cos of the clean class's input gradients before and after the change: 0 if parallel."""
    return _turn(rung, rung.clean.gradient, rung.current.gradient)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def gradient_change(rung: Rung) -> Tensor:
    """|g' - g| / |g| of the input gradient of the clean class's logit."""
    return _changed(rung, rung.clean.gradient)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def gradient_lipschitz(rung: Rung) -> Tensor:
    """|g' - g| / |x' - x| of the input gradient of the clean class's logit; logits per L2^2."""
    return _changed(rung, rung.difference)


@rung_metric(bounds=(0, 2), needs_classes=True, needs_gradients=True)
def loss_gradient_turn(rung: Rung) -> Tensor:
    """1 - cos of the input gradients of the loss, at the last rung of a ladder."""
    return _turn(rung, rung.clean.loss_gradient, rung.current.loss_gradient)


def _turn(rung: Rung, before: Tensor | None, after: Tensor | None) -> Tensor:
    if before is None or after is None:
        return rung.clean.not_applicable
    one, other = _flat(before), _flat(after)
    sizes = _size(one) * _size(other)
    cosine = (one * other).sum(1) / sizes
    turned = (1 - cosine).clamp(0, 2)
    return turned.to(rung.clean.logits).masked_fill((sizes == 0) | ~sizes.isfinite(), float("nan"))


def _changed(rung: Rung, over: Tensor | None) -> Tensor:
    """|g' - g| over the size of something, (n,)."""
    before, after = rung.clean.gradient, rung.current.gradient
    if before is None or after is None or over is None:
        return rung.clean.not_applicable
    size = _size(_flat(over))
    share = (_size(_flat(after) - _flat(before)) / size).to(rung.clean.logits)
    return share.masked_fill((size == 0) | ~share.isfinite(), float("nan"))


def _flat(tensor: Tensor) -> Tensor:
    """(n, d) in the precise dtype."""
    return tensor.flatten(1).to(precise(tensor.device))


def _size(rows: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norm
