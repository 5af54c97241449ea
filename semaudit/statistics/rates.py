"""Rates: every image says yes or no."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import special

from semaudit.statistics.evidence import Evidence


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
