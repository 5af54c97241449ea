"""How smooth the input gradient is: exact per picture, batched, gone with its batch.

Importing this room registers all that is measured at a clean picture; what is measured along a
ladder is in `semaudit.metrics.gradients`.
"""

from __future__ import annotations

from semaudit.gradients import curvature, jacobian, noise, saliency, slopes
from semaudit.gradients.ability import Ability, survey
from semaudit.gradients.differentiate import Derived, Differentiator
from semaudit.gradients.functionals import ClassLogit, Functional, Loss, Margin
from semaudit.gradients.gather import at_pictures
from semaudit.gradients.measures import MEASURES

__all__ = [
    "MEASURES",
    "Ability",
    "ClassLogit",
    "Derived",
    "Differentiator",
    "Functional",
    "Loss",
    "Margin",
    "at_pictures",
    "curvature",
    "jacobian",
    "noise",
    "saliency",
    "slopes",
    "survey",
]
