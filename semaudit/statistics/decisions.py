"""From many pieces of evidence to decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from semaudit.statistics.evidence import Evidence, check_level

MOST_PICTURES = 20_000
"""Beyond this a number of images is of no use to anyone, and takes long to find."""


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


def pictures_to_decide(
    repeated: Callable[[int], Evidence], limit: float, alpha: float = 0.05
) -> int | None:
    """Return about how many images the interval needs to exclude ``limit`` if the values stay.

    The images are taken several times over until the limit drops out. That is no formula in
    sqrt(n): near a bound an interval shrinks with n, where a formula is wrong tenfold.

    Args:
        repeated: the evidence of the images taken k times over.
        limit: of the gate.
        alpha: the level of the gate.

    Returns:
        None if more than `MOST_PICTURES` would be needed, or no number is known to do.
    """
    once = repeated(1)
    most = MOST_PICTURES // once.n
    enough = 2
    while enough <= most and not repeated(enough).excludes(limit, alpha):
        enough *= 2
    if enough > most:
        return None
    too_few = enough // 2
    while enough - too_few > max(1, too_few // 10):
        middle = (enough + too_few) // 2
        if repeated(middle).excludes(limit, alpha):
            enough = middle
        else:
            too_few = middle
    return enough * once.n
