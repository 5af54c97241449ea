"""Searches without gradients, for models that have none and as a check on those that have.

Where they find more than the gradient at an equal budget, the gradient is masked (Athalye, Carlini,
Wagner 2018, "Obfuscated gradients give a false sense of security").
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.worst.ball import Ball, drawn_in
from semaudit.worst.best import Best

LARGEST = 0.5
"""Side of the first square, a fraction of the picture's."""


def try_all(
    classifier: Classifier,
    clean: View,
    ball: Ball,
    radius: float,
    best: Best,
    draw: Draw,
    trials: int,
) -> Best:
    """Look at ``trials`` changes a picture, half of them random, half square patches.

    Args:
        classifier: what is audited.
        clean: the clean view.
        ball: in which the changes stay.
        radius: its radius.
        best: the best so far.
        draw: the random numbers of these pictures.
        trials: outputs a picture.
    """
    randoms = trials // 2
    for trial in range(trials):
        if trial < randoms:
            tried = drawn_in(ball, clean.images, radius, draw, trial)
        else:
            share = (trial - randoms) / max(1, trials - randoms)
            tried = _with_square(clean.images, best.change, radius, draw, trial, share)
            tried = ball.project(tried, clean.images, radius)
        best = best.or_better(tried, clean.shift_to(look(classifier, tried)))
    return best


def _with_square(
    clean: Tensor, images: Tensor, radius: float, draw: Draw, stream: int, share: float
) -> Tensor:
    """The best so far, with one square of each channel moved to the ball's surface.

    After Andriushchenko et al. 2020, "Square Attack"; the square shrinks as the search goes on.
    """
    channels, height, width = clean.shape[1:]
    side = max(1, round(LARGEST * min(height, width) * math.sqrt(1 - share)))
    places = draw.uniform(2 + channels, 1, 1, stream=stream).to(clean)
    top = (places[:, :1] * (height - side + 1)).floor()
    left = (places[:, 1:2] * (width - side + 1)).floor()
    down = torch.arange(height, device=clean.device).view(1, 1, -1, 1)
    across = torch.arange(width, device=clean.device).view(1, 1, 1, -1)
    inside = (down >= top) & (down < top + side) & (across >= left) & (across < left + side)
    return torch.where(inside, clean + radius * places[:, 2:].sub(0.5).sign(), images)
