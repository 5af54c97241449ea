"""What an update costs, in passes: forwards of one picture, counted rather than timed.

A way back to the picture alone costs as much as the forward, one to the weights as well twice as
much. Loaders, changes that need no model, and the optimizer are not counted.
"""

from __future__ import annotations

from semaudit.finetuning.bench import Bench
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.turning import SHARE

STEP = 3
"""A forward and the way back to the weights."""

STEEP = 3
"""A gradient of the picture with a graph, and the way back through it, beside a step."""


def passes_of(bench: Bench, objective: Objective) -> float:
    """What one picture of an update costs on average."""
    views = bench.recipe.views if objective.needs_views else 0
    cost = (1 + views) * STEP + views * bench.changes.passes
    if objective.gradient:
        cost += (1 + views) * STEEP
    if objective.turn:
        cost += SHARE * 2 * (STEP + STEEP)  # two pictures each, clean and changed
    if objective.anchor and bench.anchors.logits is None:
        cost += 1  # the original is asked anew
    return cost
