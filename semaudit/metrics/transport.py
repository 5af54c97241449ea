"""Semantic transport: how far in meaning the answer moved, on a tree of the classes."""

from __future__ import annotations

from torch import Tensor

from semaudit.metrics.registry import rung_metric
from semaudit.metrics.views import Rung


@rung_metric(bounds=(0, 1), needs_classes=True)
def transport(rung: Rung) -> Tensor:
    """Wasserstein-1 distance of the outputs on a tree of classes; NaN without one.

    sum over the edges of the tree of |p(subtree) - p'(subtree)| x length: the least sum of mass
    times way that turns p into p' (closed form on a tree: Evans and Matsen 2012). In units of the
    farthest two classes' distance, so that 1 is certainty in one of them turned into the other.
    On a star, where all classes are equally far, it is the total variation distance.
    """
    clean, current = rung.clean, rung.current
    if clean.taxonomy is None or clean.activation != "softmax":
        return clean.not_applicable
    return clean.taxonomy.transport(clean.probabilities, current.probabilities)
