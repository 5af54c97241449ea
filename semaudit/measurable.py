"""Which metrics there are for a model: what its outputs allow, and what was asked for."""

from __future__ import annotations

from dataclasses import replace

from semaudit.metric import TRANSPORT, Activation, Metric, entropy_bounds
from semaudit.metrics import GATEABLE


def measurable(
    activation: Activation, num_classes: int, *, taxonomy: bool = False, gradients: bool = False
) -> dict[str, Metric]:
    """What can be measured of such outputs, and in which range.

    An embedding has no classes, and transport needs a tree of them.
    """
    known = {
        name: each
        for name, each in GATEABLE.items()
        if (taxonomy or name != TRANSPORT) and (gradients or not each.needs_gradients)
    }
    if activation == "none":
        return {name: metric for name, metric in known.items() if not metric.needs_classes}
    entropy = replace(known["entropy"], bounds=entropy_bounds(activation, num_classes))
    return {**known, entropy.name: entropy}
