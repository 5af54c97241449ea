"""How ragged the saliency map is."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import sound
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point
from semaudit.metrics.pixels import precise


def saliency(gradient: Tensor) -> Tensor:
    """The saliency map of gradients (n, c, h, w): (n, h, w), the largest size over the channels.

    Simonyan, Vedaldi, Zisserman 2013, "Deep inside convolutional networks".
    """
    return gradient.abs().amax(1)


@measure(
    at_picture(
        "saliency_variation",
        "Total variation of the saliency map over its sum: 0 where it is even, at most 4.",
        (0, 4),
    )
)
def saliency_variation(point: Point) -> dict[str, Tensor]:
    """Anisotropic total variation of the saliency map, over the sum of the map.

    sum |s(i+1, j) - s(i, j)| + |s(i, j+1) - s(i, j)| over sum s (Rudin, Osher, Fatemi 1992): free
    of the gradient's scale. NaN where the map is 0 or not
    finite.
    """
    salient = saliency(point.gradient).to(precise(point.gradient.device))
    down = salient.diff(dim=1).abs().sum((1, 2))
    across = salient.diff(dim=2).abs().sum((1, 2))
    total = salient.sum((1, 2))
    share = (down + across) / total.where(total > 0, torch.ones_like(total))
    # Each value is in at most four differences of values that are 0 or more.
    return {"saliency_variation": sound(share.clamp_max(4), total)}
