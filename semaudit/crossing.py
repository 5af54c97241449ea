"""Finds where decisions change between two points, many pictures at a time, in few looks.

ITP (Oliveira and Takahashi 2020, doi:10.1145/3423597): a step of regula falsi on the margin, pulled
towards the middle, and never so far off it that bisection would be done sooner by more than one
look. Along smooth paths it takes half to two thirds of the looks of bisection.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

HALVINGS = 10
"""The bracket ends up as narrow as this many halvings make it: a thousandth of what it was."""

MOST_LOOKS = HALVINGS + 1
_WIDTH = 2.0**-HALVINGS
_PULL = 0.2
"""kappa 1 as the paper proposes it; kappa 2 is 2, and n0 is 1."""

Seen = tuple[Tensor, Tensor]
"""(m,) whether decisions are other ones than at the start; and (m,) by how much those of the start
lead, the margin. NaN ends the search of a picture."""


def crossing(before: Tensor, after: Tensor, see: Callable[[Tensor, Tensor], Seen]) -> Tensor:
    """Where decisions change between 0 and 1: (n,), to a thousandth, on the changed side.

    Args:
        before: (n,) margins at 0, where decisions are those of the start.
        after: (n,) margins at 1, where they are others. Margins say where to look next, no more:
            what is bracketed is what `see` says of the decisions.
        see: looks at some pictures, by their indices (m,), at places (m,) between 0 and 1.

    Returns:
        NaN where a margin on the way was.
    """
    low, high = torch.zeros_like(before), torch.ones_like(before)
    lower, upper = before, after
    for turn in range(MOST_LOOKS):
        rows = (high - low > _WIDTH).nonzero()[:, 0]  # not where either is NaN
        if not len(rows):
            break
        place = _next(low[rows], high[rows], lower[rows], upper[rows], turn)
        changed, margin = see(rows, place)
        low = low.index_copy(0, rows, low[rows].where(changed, place))
        narrowed = place.where(changed, high[rows])
        high = high.index_copy(0, rows, narrowed.where(~margin.isnan(), margin))
        lower = lower.index_copy(0, rows, lower[rows].where(changed, margin))
        upper = upper.index_copy(0, rows, margin.where(changed, upper[rows]))
    return high


def _next(low: Tensor, high: Tensor, lower: Tensor, upper: Tensor, turn: int) -> Tensor:
    """Where to look next, (m,); the middle where the margins do not say."""
    width, middle = high - low, (low + high) / 2
    straight = (upper * low - lower * high) / (upper - lower)
    straight = straight.where(straight.isfinite(), middle).clamp(low, high)
    towards = (middle - straight).sign()
    pull = _PULL * width.square()
    pulled = middle.where(pull > (middle - straight).abs(), straight + towards * pull)
    reach = _WIDTH / 2 * 2 ** (MOST_LOOKS - turn) - width / 2
    return pulled.where((pulled - middle).abs() <= reach, middle - towards * reach)
