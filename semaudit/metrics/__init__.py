"""Metrics: from what was seen along a path to one number an image.

Importing this room registers them all; ``METRICS`` is the catalogue.
"""

from __future__ import annotations

from semaudit.metrics import derived, inputs, outputs, paths
from semaudit.metrics.registry import (
    IMAGE_FUNCTIONS,
    METRICS,
    PATH_FUNCTIONS,
    RUNG_FUNCTIONS,
    declare,
)
from semaudit.metrics.views import Path, Rung, View, precise

__all__ = [
    "IMAGE_FUNCTIONS",
    "METRICS",
    "PATH_FUNCTIONS",
    "RUNG_FUNCTIONS",
    "Path",
    "Rung",
    "View",
    "declare",
    "derived",
    "inputs",
    "outputs",
    "paths",
    "precise",
]
