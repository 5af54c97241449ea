"""The search over the few parameters of a move or of a light: corners, a spread, refinement.

Without gradients on purpose: over so few parameters, and over moves above all, the shift has many
local maxima, and trying places finds more than climbing (Engstrom et al. 2019, "Exploring the
landscape of spatial robustness").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw, Strength
from semaudit.perturbations.adversarial import LIGHTS, MOVES, moved, relit
from semaudit.worst.best import Best

SPREAD = 0.5
"""Share of the trials that are spread over the whole reach; the others refine the best."""

GROW, SHRINK = 1.5, 0.85
"""By what the refinement's reach changes where a trial was better, and where not: it stays as large
as one trial in four or so can be better (the success rule of Rechenberg 1973)."""


@dataclass(frozen=True)
class Space:
    """A family of changes with a few parameters in [-1, 1].

    Attributes:
        size: how many.
        apply: from images, a strength and parameters (n, size, 1, 1) to changed images.
    """

    size: int
    apply: Callable[[Tensor, Strength, Tensor], Tensor]


SPACES = {"rigid_move": Space(MOVES, moved), "relight": Space(LIGHTS, relit)}
"""By the name of the perturbation."""


def search(
    classifier: Classifier,
    clean: View,
    space: Space,
    strength: float,
    warm: Best,
    draw: Draw,
    trials: int,
) -> Best:
    """Find the parameters with the largest shift.

    Args:
        classifier: what is audited.
        clean: the clean view.
        space: the changes.
        strength: their reach.
        warm: the best of the smaller strength, in parameters of this one.
        draw: the random numbers of these pictures.
        trials: outputs a picture.
    """
    best = warm
    spread = max(1, round(SPREAD * trials))
    reach = clean.images.new_ones(len(clean.images), 1, 1, 1)
    for trial in range(trials):
        drawn = 2 * draw.uniform(space.size, 1, 1, stream=trial).to(clean.images) - 1
        if trial < spread:
            # The worst often lies at the end of the reach: the corners come first.
            parameters = _corner(drawn, trial) if trial < 2**space.size else drawn
        else:
            parameters = (best.change + reach * drawn).clamp(-1, 1)
        images = space.apply(clean.images, strength, parameters).clamp(0, 1)
        shift = clean.shift_to(look(classifier, images))
        if trial >= spread:
            better = (shift > best.shift)[:, None, None, None]
            reach = torch.where(better, (GROW * reach).clamp(max=1), SHRINK * reach)
        best = best.or_better(parameters, shift)
    return best


def _corner(like: Tensor, index: int) -> Tensor:
    """The corner number ``index`` of the cube: by Gray code, each followed by the opposite one."""
    size = like.shape[1]
    half, opposite = divmod(index, 2)
    gray = half ^ (half >> 1)
    signs = [1 - 2 * (((gray >> bit) & 1) ^ opposite) for bit in range(size)]
    return like.new_tensor(signs).view(1, size, 1, 1).expand_as(like)
