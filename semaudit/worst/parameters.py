"""The search over the few parameters of a move or of a light: a spread of trials, then refinement.

Without gradients on purpose: over so few parameters, and over moves above all, the shift has many
local maxima, and trying places finds more than climbing (Engstrom et al. 2019, "Exploring the
landscape of spatial robustness").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw, Strength
from semaudit.perturbations.adversarial import LIGHTS, MOVES, moved, relit
from semaudit.worst.best import Best

SPREAD = 0.5
"""Share of the trials that are spread over the whole reach; the others refine the best."""

SHRINK = 0.8
"""By what the refinement's reach shrinks from trial to trial."""


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
    reach = 1.0
    for trial in range(trials):
        drawn = 2 * draw.uniform(space.size, 1, 1, stream=trial).to(clean.images) - 1
        if trial < spread:
            # The worst often lies at the end of the reach: every other trial is a corner.
            parameters = drawn.sign() if trial % 2 else drawn
        else:
            reach *= SHRINK
            parameters = (best.change + reach * drawn).clamp(-1, 1)
        images = space.apply(clean.images, strength, parameters).clamp(0, 1)
        best = best.or_better(parameters, clean.shift_to(look(classifier, images)))
    return best
