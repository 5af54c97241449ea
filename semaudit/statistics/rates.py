"""Rates: every image says yes or no."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from semaudit.statistics.evidence import Bounds, Evidence, check_level


@dataclass(frozen=True)
class Rate(Evidence):
    """A mean of values that all lie at one bound or the other: Clopper and Pearson (1934), exact.

    Two-sided as both one-sided tests at alpha / 2. Coverage is at least nominal for every true
    rate and every n.
    """

    successes: int

    def _limit(self, tail: float, *, above: bool) -> float:
        k, n = self.successes, self.n
        if above:
            rate = 1.0 if k == n else float(special.betainccinv(k + 1, n - k, tail))
        else:
            rate = 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, tail))
        lower, upper = self.bounds
        return lower + rate * (upper - lower)

    def _tail(self, limit: float) -> float:
        lower, upper = self.bounds
        rate = (limit - lower) / (upper - lower)
        if limit > self.value:
            return float(special.bdtr(self.successes, self.n, rate))
        return float(special.bdtrc(self.successes - 1, self.n, rate))


def wilson(successes: int, n: int, alpha: float = 0.05) -> Bounds:
    """Return Wilson's (1927) score interval of a rate, in [0, 1].

    To show, not to gate: it is shorter than Clopper-Pearson and covers nominally on average only.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is not a rate")
    rate = successes / n
    z = -float(special.ndtri(check_level(alpha) / 2))
    shrink = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n the formula gives the bound exactly, but floating point does not.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return low, high
