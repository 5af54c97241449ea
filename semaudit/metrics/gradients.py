"""Metrics of the input gradient along a ladder: how far it turned and how much it changed.

NaN where no gradient was taken, where one of the two is not finite, where there is nothing to
divide by, and where both gradients are 0: a cut path is not a smooth one. A turn is NaN where one
of them is 0; a change to 0 is one of 1. The gradient is the one by the picture as the model got it,
of the clean class's logit throughout; that of the loss is taken at the last rung of a ladder.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.metrics.moves import Moved
from semaudit.metrics.registry import rung_metric
from semaudit.metrics.views import Rung

INF = float("inf")


@rung_metric(bounds=(0, 2), needs_classes=True, needs_gradients=True)
def gradient_turn(rung: Rung) -> Tensor:
    """1 - cos of the clean class's input gradients before and after the change: 0 if parallel."""
    return _turn(rung, rung.gradient_moved)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def gradient_change(rung: Rung) -> Tensor:
    """|g' - g| / |g| of the input gradient of the clean class's logit."""
    return _relative(rung, rung.gradient_moved)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def gradient_lipschitz(rung: Rung) -> Tensor:
    """|g' - g| / |x' - x| of the input gradient of the clean class's logit; logits per L2^2."""
    return _lipschitz(rung, rung.gradient_moved)


@rung_metric(bounds=(0, 2), needs_classes=True, needs_gradients=True)
def loss_gradient_turn(rung: Rung) -> Tensor:
    """1 - cos of the input gradients of the loss, at the last rung of a ladder."""
    return _turn(rung, rung.loss_gradient_moved)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def loss_gradient_change(rung: Rung) -> Tensor:
    """|g' - g| / |g| of the input gradient of the loss, at the last rung of a ladder."""
    return _relative(rung, rung.loss_gradient_moved)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def loss_gradient_lipschitz(rung: Rung) -> Tensor:
    """|g' - g| / |x' - x| of the loss's input gradient, at the last rung; nats per L2^2."""
    return _lipschitz(rung, rung.loss_gradient_moved)


def _relative(rung: Rung, moved: Moved | None) -> Tensor:
    if moved is None:
        return rung.clean.not_applicable
    return _ratio(rung, moved.change, moved.before)


def _lipschitz(rung: Rung, moved: Moved | None) -> Tensor:
    if moved is None:
        return rung.clean.not_applicable
    return _ratio(rung, moved.change, rung.distance)


def _turn(rung: Rung, moved: Moved | None) -> Tensor:
    """1 - cos as half the squared chord between unit vectors: exact for small angles."""
    if moved is None:
        return rung.clean.not_applicable
    turned = (moved.chord.square() / 2).clamp(0, 2)
    return _only(turned, _positive(moved.before) & _positive(moved.after)).to(rung.clean.logits)


def _ratio(rung: Rung, moved: Tensor, size: Tensor) -> Tensor:
    share = moved / size.where(size > 0, torch.ones_like(size))
    return _only(share, _positive(size) & share.isfinite()).to(rung.clean.logits)


def _positive(size: Tensor) -> Tensor:
    return size.isfinite() & (size > 0)


def _only(values: Tensor, known: Tensor) -> Tensor:
    return values.masked_fill(~known, float("nan"))
