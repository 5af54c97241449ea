"""Whether the backward pass tells the slope of the model: twice the same, and what differences say.

A layer whose backward pass is not the derivative of its forward pass leads a search astray, however
smooth its gradients look.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semaudit.gradients import ClassLogit, Differentiator
from semaudit.gradients.algebra import l2, per_rms, unit
from semaudit.metrics.views import View
from semaudit.worst.findings import Finding, raised

SAME_SLOPE = 0.02
"""Change of the gradient, a share of its norm, that two identical passes may differ by."""

STEPS_RMS = (1e-4, 1e-3, 1e-2, 1e-5, 3e-2)
"""Steps of the differences, fractions of full scale: one of them lies between the rounding of
float32 and the bends of the network, or is wider than the levels of a rounding stage."""

NEAR = 3.0
"""A slope by differences within this factor of the gradient's length agrees with it."""


def backward_faults(differentiator: Differentiator, clean: View) -> list[Finding]:
    """Findings on the gradient of the top class's logit, at a few pictures.

    Args:
        differentiator: of a model whose forward pass is no matter of chance.
        clean: a handful of clean pictures.
    """
    placement = differentiator.classifier.placement
    exact = replace(differentiator.classifier, placement=replace(placement, amp_dtype=None))
    differentiator = replace(differentiator, classifier=exact)
    logit = ClassLogit(clean.logits.argmax(1))
    first, second = (differentiator(clean.images, logit).gradients[0] for _ in range(2))
    size = l2(first)
    judged = size.isfinite() & (size > 0)
    if not bool(judged.any()):  # which is a finding of its own
        return []
    off = float((l2(second - first) / size)[judged].max())
    if off > SAME_SLOPE:
        return [
            raised(
                "stochastic_gradient",
                f"two passes differ by up to {off:.2g} of the gradient's norm on "
                f"{int(judged.sum())} pictures",
            )
        ]
    ratios = _ratios(differentiator, clean.images[judged], logit.rows(judged), first[judged])
    wrong = ~((ratios > 1 / NEAR) & (ratios < NEAR))
    if 2 * int(wrong.sum()) <= len(ratios):
        return []
    return [
        raised(
            "gradient_disagrees_with_differences",
            f"along its own direction the output of {int(wrong.sum())} of {len(ratios)} pictures "
            f"rises by {float(ratios[wrong].median()):.2g} times what the gradient says",
        )
    ]


def _ratios(
    differentiator: Differentiator, images: Tensor, logit: ClassLogit, gradient: Tensor
) -> Tensor:
    """(n,) the slope by central differences along the gradient over its length: 1 for a true one.

    Of the steps, that which agrees best.
    """
    best = torch.full_like(l2(gradient), float("inf"))
    rows = torch.arange(len(images), device=images.device)
    for rms in STEPS_RMS:
        step = per_rms(rms, images)
        change = step * unit(gradient[rows])
        high, low = (
            _values(differentiator, images[rows] + sign * change, logit.rows(rows))
            for sign in (1, -1)
        )
        ratio = ((high - low) / (2 * step)).to(best) / l2(gradient[rows])
        better = (ratio - 1).abs() < (best[rows] - 1).abs()
        best = best.index_copy(0, rows, torch.where(better, ratio, best[rows]))
        rows = (~((best > 1 / NEAR) & (best < NEAR))).nonzero()[:, 0]
        if not len(rows):
            break
    return best


def _values(differentiator: Differentiator, images: Tensor, logit: ClassLogit) -> Tensor:
    """The logits of these classes, seen together only where pictures do not move each other's."""
    rows = torch.arange(len(images), device=images.device)
    parts = [rows] if differentiator.apart else rows.chunk(len(rows))
    return torch.cat([differentiator.values(images[k], logit.rows(k))[0] for k in parts])
