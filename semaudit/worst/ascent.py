"""The search with gradients: greedy ascent in a ball, each picture with a step of its own.

After Croce and Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks": momentum, and where a step found nothing the next goes from the
best place, half as far. There it takes a few steps to tell; with few gradients, one must do.
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

OPENING = 0.4
"""Share of the steps that leave what the clean answer holds likely, before the objective itself is
climbed; two at least."""

FIRST = 0.5
"""The first step, a share of the radius."""

KEPT = 0.9
"""By what a step that found more is followed."""

MOMENTUM = 0.75
"""Share of the direction so far that goes on."""


def ascend(
    differentiator: Differentiator,
    climb: Climb,
    ball: Ball,
    radius: float,
    start: Tensor,
    steps: int,
) -> Best:
    """Climb from pictures in the ball by so many gradients a picture, and a last look.

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
    best_slope = trail = torch.zeros_like(start)
    current = start
    size = start.new_full((len(start), 1, 1, 1), FIRST * radius)
    opening = max(2, round(OPENING * steps))
    for step in range(steps):
        opens = step < opening
        seen = differentiator(current, climb.opening if opens else climb)
        shift, slope = clean.shift_to(seen.view), _even(seen.gradients[0])
        rose = column(shift > best.shift)
        best = best.or_better(current, shift)
        best_slope = torch.where(rose, slope, best_slope)
        # While it opens, the shift may fall: what leaves one likely answer can pass by another.
        ahead = rose | opens
        base = torch.where(ahead, current, best.change)
        slope = torch.where(ahead, slope, best_slope)
        trail = torch.where(ahead, MOMENTUM * trail + slope, slope)
        size = torch.where(ahead, KEPT * size, size / 2)
        current = ball.project(base + size * ball.uphill(trail), clean.images, radius)
    return best.or_better(current, shift_of(differentiator, clean, current))


def _even(gradient: Tensor) -> Tensor:
    """A gradient at mean size 1, so that each counts the same in the momentum; not finite, 0."""
    finite = gradient.nan_to_num(0.0, 0.0, 0.0)
    size = finite.abs().mean((1, 2, 3), keepdim=True)
    return finite / size.where(size > 0, torch.ones_like(size))


def shift_of(differentiator: Differentiator, clean: View, images: Tensor) -> Tensor:
    """The shift of changed pictures, (n,), without gradients."""
    return clean.shift_to(look(differentiator.classifier, images))
