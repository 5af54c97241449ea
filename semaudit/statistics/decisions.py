"""From many pieces of evidence to decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from semaudit.statistics.evidence import Evidence, check_level
from semaudit.statistics.quantiles import Maximum


class HolmStep(NamedTuple):
    """How one of many hypotheses is judged."""

    level: float
    """The alpha of the interval to judge by and to show."""
    decided: bool


def holm(p_values: Sequence[float], alpha: float = 0.05) -> list[HolmStep]:
    """Judge many p-values, in their order, with at most ``alpha`` chance of any wrong decision.

    Holm (1979): the p-value of rank r (0 for the smallest) of m is held against alpha / (m - r),
    and the first that is larger stops the procedure. All later ones are judged at the level of
    that stop, so that a hypothesis is decided exactly when its interval at ``level`` excludes it.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError("a p-value lies in [0, 1]")
    m, level, going = len(p_values), check_level(alpha), True
    steps: dict[int, HolmStep] = {}
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        level = alpha / (m - rank) if going else level
        going = going and p_values[index] <= level
        steps[index] = HolmStep(level, going)
    return [steps[index] for index in range(m)]


def pictures_to_decide(evidence: Evidence, limit: float, alpha: float = 0.05) -> int | None:
    """Return about how many images the interval needs to exclude ``limit`` if the value stays.

    The half-width on the limit's side shrinks with the square root of n, faster for rates near a
    bound, so the number errs to the large side there. None where no number of images is known to
    do: the value equals the limit, the half-width is infinite, or the limit lies above a maximum.
    """
    low, high = evidence.interval(alpha)
    above = limit > evidence.value
    half = high - evidence.value if above else evidence.value - low
    fixed = above and isinstance(evidence, Maximum)
    if limit == evidence.value or fixed or math.isinf(half):
        return None
    return max(1, math.ceil(evidence.n * (half / abs(limit - evidence.value)) ** 2))
