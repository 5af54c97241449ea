"""Metrics whose numbers come from elsewhere: from the labels and from the search for onsets."""

from __future__ import annotations

from semaudit.metrics.registry import declare

ACCURACY = declare(
    "accuracy",
    "image",
    (0, 1),
    "Whether the clean top-1 class is the label: 1 or 0.",
    column="correct",
    needs_classes=True,
)
ONSET = declare(
    "onset",
    "path",
    (0, 1),
    "Smallest strength at which the image flips; NaN where the ladder never flips it.",
    comparable=False,
    needs_classes=True,
)
