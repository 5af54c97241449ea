"""The search with gradients: ascent in a ball, with a step that halves where it stalls.

After Croce and Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks": momentum, and a picture whose best value has not risen for a few
steps goes back to its best iterate with half the step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients import Differentiator
from semaudit.gradients.algebra import column
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.worst.ball import Ball
from semaudit.worst.best import Best
from semaudit.worst.objective import Climb

MOMENTUM = 0.75
"""Share of a step that is new; the rest goes on as the step before it."""


def ascend(
    differentiator: Differentiator,
    climb: Climb,
    ball: Ball,
    radius: float,
    start: Tensor,
    steps: int,
) -> Best:
    """Climb from pictures in the ball by so many gradients a picture.

    Args:
        differentiator: the classifier.
        climb: the objective, at the clean view.
        ball: in which the pictures stay.
        radius: its radius.
        start: (n, c, h, w), in the ball.
        steps: gradients a picture.
    """
    clean = climb.clean
    best = Best(start, clean.logits.new_full((len(start),), -1.0))
    top, top_gradient = best.shift - float("inf"), torch.zeros_like(start)
    current, before, peak = start, start, start
    size = start.new_full((len(start), 1, 1, 1), 2.0 * radius)
    stalled = torch.zeros_like(best.shift)
    patience = max(1, steps // 5)
    for _ in range(steps):
        seen = differentiator(current, climb)
        value, gradient = seen.values[0], seen.gradients[0]
        best = best.or_better(current, clean.shift_to(seen.view))
        rose = value > top
        top, peak = value.where(rose, top), torch.where(column(rose), current, peak)
        top_gradient = torch.where(column(rose), gradient, top_gradient)
        stalled = torch.where(rose, torch.zeros_like(stalled), stalled + 1)
        back = column(stalled >= patience)
        stalled = stalled.masked_fill(back.flatten(), 0)
        size = torch.where(back, size / 2, size)
        base = torch.where(back, peak, current)
        slope = torch.where(back, top_gradient, gradient)
        ahead = ball.project(base + size * ball.uphill(slope), clean.images, radius)
        kept = torch.where(back, torch.zeros_like(base), base - before)
        ahead = base + MOMENTUM * (ahead - base) + (1 - MOMENTUM) * kept
        before, current = base, ball.project(ahead, clean.images, radius)
    return best.or_better(current, shift_of(differentiator, clean, current))


def shift_of(differentiator: Differentiator, clean: View, images: Tensor) -> Tensor:
    """The shift of changed pictures, (n,), without gradients."""
    return clean.shift_to(look(differentiator.classifier, images))
