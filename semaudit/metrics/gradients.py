"""Metrics of the input gradient along a ladder: how far it turned and how much it changed.

NaN where no gradient was taken, where one of the two is not finite, where there is nothing to
divide by, and where both gradients are 0: a cut path is not a smooth one. A turn is NaN where one
of them is 0; a change to 0 is one of 1. The gradient is the one by the picture as the model got it,
of the clean class's logit throughout; that of the loss is taken at the last rung of a ladder.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.metrics.pixels import over_pixels
from semaudit.metrics.registry import rung_metric
from semaudit.metrics.views import Rung

INF = float("inf")


@rung_metric(bounds=(0, 2), needs_classes=True, needs_gradients=True)
def gradient_turn(rung: Rung) -> Tensor:
    """1 - cos of the clean class's input gradients before and after the change: 0 if parallel."""
    return _turn(rung, rung.clean.gradient, rung.current.gradient)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def gradient_change(rung: Rung) -> Tensor:
    """|g' - g| / |g| of the input gradient of the clean class's logit."""
    return _relative(rung, rung.clean.gradient, rung.current.gradient)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def gradient_lipschitz(rung: Rung) -> Tensor:
    """|g' - g| / |x' - x| of the input gradient of the clean class's logit; logits per L2^2."""
    return _lipschitz(rung, rung.clean.gradient, rung.current.gradient)


@rung_metric(bounds=(0, 2), needs_classes=True, needs_gradients=True)
def loss_gradient_turn(rung: Rung) -> Tensor:
    """1 - cos of the input gradients of the loss, at the last rung of a ladder."""
    return _turn(rung, rung.clean.loss_gradient, rung.current.loss_gradient)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def loss_gradient_change(rung: Rung) -> Tensor:
    """|g' - g| / |g| of the input gradient of the loss, at the last rung of a ladder."""
    return _relative(rung, rung.clean.loss_gradient, rung.current.loss_gradient)


@rung_metric(bounds=(0, INF), needs_classes=True, needs_gradients=True)
def loss_gradient_lipschitz(rung: Rung) -> Tensor:
    """|g' - g| / |x' - x| of the loss's input gradient, at the last rung; nats per L2^2."""
    return _lipschitz(rung, rung.clean.loss_gradient, rung.current.loss_gradient)


def _relative(rung: Rung, before: Tensor | None, after: Tensor | None) -> Tensor:
    change = _change(before, after)
    return rung.clean.not_applicable if change is None else _ratio(rung, *change)


def _lipschitz(rung: Rung, before: Tensor | None, after: Tensor | None) -> Tensor:
    change = _change(before, after)
    if change is None:
        return rung.clean.not_applicable
    return _ratio(rung, change[0], over_pixels(_size, rung.difference))


def _turn(rung: Rung, before: Tensor | None, after: Tensor | None) -> Tensor:
    """1 - cos as half the squared chord between unit vectors: exact for small angles."""
    if before is None or after is None:
        return rung.clean.not_applicable
    one, other, chord = over_pixels(_angle, before, after).unbind(-1)
    turned = (chord.square() / 2).clamp(0, 2)
    return _only(turned, _positive(one) & _positive(other)).to(rung.clean.logits)


def _angle(before: Tensor, after: Tensor) -> Tensor:
    """The two lengths, and the chord between the unit vectors."""
    sizes = [_size(before), _size(after)]
    chord = _size(before / sizes[0][..., None] - after / sizes[1][..., None])
    return torch.stack([*sizes, chord], -1)


def _change(before: Tensor | None, after: Tensor | None) -> tuple[Tensor, Tensor] | None:
    """|g' - g| and |g|, (n,); NaN where one of the two gradients is not finite."""
    if before is None or after is None:
        return None
    size, moved = over_pixels(_moved, before, after).unbind(-1)
    # Where both are 0 nothing was seen to change because nothing is seen.
    return _only(moved, moved.isfinite() & ((size > 0) | (moved > 0))), size


def _moved(before: Tensor, after: Tensor) -> Tensor:
    return torch.stack([_size(before), _size(after - before)], -1)


def _ratio(rung: Rung, moved: Tensor, size: Tensor) -> Tensor:
    share = moved / size.where(size > 0, torch.ones_like(size))
    return _only(share, _positive(size) & share.isfinite()).to(rung.clean.logits)


def _size(pixels: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(pixels, dim=-1)
    return norm


def _positive(size: Tensor) -> Tensor:
    return size.isfinite() & (size > 0)


def _only(values: Tensor, known: Tensor) -> Tensor:
    return values.masked_fill(~known, float("nan"))
