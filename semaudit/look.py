"""One look at pictures: what the classifier makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from semaudit.metrics.pixels import precise
from semaudit.metrics.views import View, joined
from semaudit.models import Classifier

Look = Callable[[Tensor, Tensor], View]
"""From images and their rows in the batch, (n,), to what the classifier makes of them."""


def look(classifier: Classifier, images: Tensor) -> View:
    """Run the classifier on images (n, c, h, w) and keep its outputs in the precise dtype."""
    outputs = classifier(images)
    dtype = precise(images.device)
    features = None if outputs.features is None else outputs.features.to(dtype)
    return View(images, outputs.logits.to(dtype), features, classifier.activation)


def look_again(see: Look, images: Tensor) -> View:
    """See the same images in another batch: reversed and cut in two uneven parts.

    What differs then from the first look is the noise floor, which precision alone makes. One
    image alone is seen in a batch of two.
    """
    n = len(images)
    rows = torch.arange(n, device=images.device).flip(0)
    if n == 1:
        return see(images.expand(2, -1, -1, -1), rows.expand(2)).rows(rows)
    cut = n // 2 + n % 2
    seen = joined([see(images[part], part) for part in (rows[:cut], rows[cut:])])
    return replace(seen.rows(rows), images=images)
