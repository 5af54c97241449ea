"""What a metric is. Kept apart from the functions that measure, so that gates need no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Bounds = tuple[float, float]
Level = Literal["image", "path", "rung"]

Activation = Literal["softmax", "sigmoid", "none"]
"""What outputs mean: one class of several, labels that each hold or not, or an embedding."""


@dataclass(frozen=True)
class Metric:
    """A named measurement of one number an image.

    Attributes:
        name: what gates and reports call it.
        column: its column in the samples.
        level: measured once an image, once a path (image and probe) or once a rung.
        bounds: the range that it cannot leave; the intervals rely on it.
        comparable: whether its values mean the same for all probes, so that families and the
            whole have an average of it.
        description: one line.
        needs_classes: whether an embedding, which names no class, has none of it.
        shown: whether the tables of a report have a column for it, as those of plugins do.
        needs_gradients: whether it is measured only where input gradients are.
    """

    name: str
    column: str
    level: Level
    bounds: Bounds
    comparable: bool
    description: str
    needs_classes: bool = False
    shown: bool = False
    needs_gradients: bool = False


SCORE = Metric("score", "jump", "path", (0, 100), True, "Continuity score: 100 x (1 - mean jump).")
NOISE_FLOOR = Metric(
    "noise_floor", "shift", "rung", (0, 1), True, "Shift of clean pictures in another batch."
)
CONVERGED = 0.05
"""The residual up to which `jacobian_spectral`, a lower bound, counts as the norm itself: what it
lacks goes with the square of the residual."""

TRANSPORT = "transport"
"""The metric that needs a tree of classes."""

NEW_FLIPS = Metric(
    "new_flips", "flip", "rung", (0, 1), True, "Flips that the baseline has not.", True
)
NEGATIVE_FLIPS = Metric(
    "negative_flips",
    "correct",
    "image",
    (0, 1),
    True,
    "Clean answers that are right in the baseline and wrong now.",
    True,
)
CHANGES: Mapping[str, Metric] = {each.name: each for each in (NEW_FLIPS, NEGATIVE_FLIPS)}
"""What is measured of an audit and its baseline together, by name."""


def entropy_bounds(activation: Activation, num_classes: int) -> Bounds:
    """The range of entropy for so many classes: they bound it, and the registry knows of none."""
    return 0, num_classes if activation == "sigmoid" else math.log2(num_classes)
