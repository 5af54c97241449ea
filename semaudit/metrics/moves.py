"""How far a gradient moved: measured once for all metrics that speak of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from semaudit.metrics.pixels import length, over_pixels


class Moved(NamedTuple):
    """Of n gradients before and after a change, in double precision, (n,) each."""

    before: Tensor
    """Length before."""
    after: Tensor
    """Length after."""
    chord: Tensor
    """Length of the difference of the two at length 1; NaN where one is 0."""
    change: Tensor
    """Length of the difference; NaN where one is not finite, and where both are 0, for nothing was
    seen to change where nothing is seen."""


def moved(before: Tensor | None, after: Tensor | None) -> Moved | None:
    """Measure gradients (n, c, h, w) before and after; None where one was not taken."""
    if before is None or after is None:
        return None
    one, other, chord, change = over_pixels(_lengths, before, after).unbind(-1)
    known = change.isfinite() & ((one > 0) | (change > 0))
    return Moved(one, other, chord, change.masked_fill(~known, float("nan")))


def _lengths(before: Tensor, after: Tensor) -> Tensor:
    one, other = length(before), length(after)
    chord = length(before / one[..., None] - after / other[..., None])
    return torch.stack([one, other, chord, length(after - before)], -1)
