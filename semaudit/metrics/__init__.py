"""Metrics: from what was seen along a path to one number an image.

Importing this room registers them all; ``METRICS`` is the catalogue. A plugin adds to it with the
decorators `rung_metric`, `path_metric` and `image_metric`, which are its interface::

    from semaudit.metrics import Rung, rung_metric


    @rung_metric(bounds=(0, 1))
    def largest_change(rung: Rung) -> Tensor:
        "Largest change of the probability of a class."
        before, after = rung.clean.log_probabilities, rung.current.log_probabilities
        return (after.exp() - before.exp()).abs().amax(1)
"""

from __future__ import annotations

from semaudit.metrics import derived, gradients, inputs, outputs, paths, transport
from semaudit.metrics.pixels import precise
from semaudit.metrics.registry import (
    GATEABLE,
    IMAGE_FUNCTIONS,
    METRICS,
    PATH_FUNCTIONS,
    RUNG_FUNCTIONS,
    declare,
    image_metric,
    of_function,
    path_metric,
    rung_metric,
)
from semaudit.metrics.views import Path, Rung, View

__all__ = [
    "GATEABLE",
    "IMAGE_FUNCTIONS",
    "METRICS",
    "PATH_FUNCTIONS",
    "RUNG_FUNCTIONS",
    "Path",
    "Rung",
    "View",
    "declare",
    "derived",
    "gradients",
    "image_metric",
    "inputs",
    "of_function",
    "outputs",
    "path_metric",
    "paths",
    "precise",
    "rung_metric",
    "transport",
]
