"""Gaffke's confidence limit of the mean of a variable that is bounded on one side.

Gaffke (2005), "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
nonnegative variable"; Learned-Miller and Thomas (2019), "A new confidence interval for the mean of
a bounded random variable". The upper limit is the ``1 - tail`` quantile of
``T = sum_i w_i x_i + w_0 upper``, ``w ~ Dirichlet(1, ..., 1)``: a Bayesian bootstrap of the images
with one more image at the bound. It equals Clopper-Pearson on 0/1 data and does not collapse when
all the values are equal: twenty zeros leave an upper limit of 0.168.

Everything here is in *distances* from the bound, so that the lower limit is the same function.
Dirichlet weights are exponentials divided by their sum, hence ``P(T is at most D from the bound)``
is the probability that a weighted sum of exponentials is negative. That is evaluated by the
saddlepoint formula r* (Barndorff-Nielsen 1986) instead of by simulation. Put a point at ``gap``
beyond the bound, let ``d`` be the n + 1 distances from it and ``h`` their harmonic mean; then

    D = h - gap,  r^2 = 2 sum log(d / h),  v^2 = sum (h / d - 1)^2,
    P = Phi(-r*),  r* = r + log(v / r) / r.

Against the exact Beta tail P is right to 4 % down to 1e-5 for n >= 10, and to 10 % for n = 1,
erring to the large (safe) side; 2,000 draws have a standard error of 14 % at 0.025 already. It
needs no seed, and reaches the tiny tails at which Holm judges the first of hundreds of gates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from semaudit.statistics.evidence import Array

_FLATTEST = 100.0
"""Largest gap, in standard deviations of the sum: there r is about 0.01, and P about one half."""
_DEEPEST = 650.0
"""How far the search goes down in log(gap): past any tail that a float can hold."""


@dataclass(frozen=True)
class GaffkeSide:
    """The one-sided limit toward ``bound`` of a mean."""

    bound: float
    sign: float
    """1 if the bound lies above the values, -1 if below."""
    distances: Array = field(repr=False, compare=False)
    """(n,) distances of the values from the bound, >= 0."""

    def limit(self, tail: float) -> float:
        """Return the confidence limit at one-sided error ``tail``."""
        return self.bound - self.sign * limit_distance(self.distances, tail)

    def tail(self, limit: float) -> float:
        """Return the one-sided error at which ``limit``, between value and bound, drops out."""
        return tail_within(self.distances, self.sign * (self.bound - limit))


def limit_distance(distances: Array, tail: float) -> float:
    """Return how far from the bound the limit at one-sided error ``tail`` lies."""
    unit = float(distances.max())
    if unit == 0:
        return 0.0
    z = -float(special.ndtri(tail))
    return unit * _at(distances / unit, lambda _, root: root - z)[0]


def tail_within(distances: Array, distance: float) -> float:
    """Return the probability that the weighted mean comes within ``distance`` of the bound."""
    unit = float(distances.max())
    if unit == 0:
        return 1.0
    if distance <= 0:
        return 0.0
    # In units of the largest distance, so that values next to the bound do not underflow.
    target = math.log(distance) - math.log(unit)
    mean, root = _at(distances / unit, lambda mean, _: target - math.log(mean))
    # Past the flattest gap the tail is one half or more, so that the two-sided p-value is 1.
    return float(special.ndtr(-root)) if math.log(mean) >= target - 1e-9 else 1.0


def _at(distances: Array, crossing: Callable[[float, float], float]) -> tuple[float, float]:
    """Return (D, r*) at the gap where ``crossing(D, r*)``, which falls with the gap, is zero.

    ``distances`` are (n,), the largest of them 1.
    """
    n = len(distances)
    total = float(distances.sum())
    spread = math.sqrt(max(float(distances @ distances) - total * total / (n + 1), 0.0))
    # Equal distances leave total^2 / (n (n + 1)) exactly; the sum above may lose it to rounding.
    widest = math.log(_FLATTEST * max(spread, total / (n + 1)))
    gap = falling_root(lambda log: crossing(*_saddle(distances, math.exp(log))), widest)
    return _saddle(distances, math.exp(gap))


def _saddle(distances: Array, gap: float) -> tuple[float, float]:
    """Return (D, r*) of the module's formula at one gap > 0."""
    inverse = np.reciprocal(distances + gap)
    weight = float(inverse.sum()) + 1 / gap
    harmonic = (len(distances) + 1) / weight
    first = harmonic / gap
    ratios = inverse * harmonic
    # Not below zero, where rounding could carry it when all the distances are much alike.
    r = math.sqrt(max(-2 * (float(np.log(ratios).sum()) + math.log(first)), 1e-300))
    ratios -= 1
    v = math.sqrt(float(ratios @ ratios) + (first - 1) ** 2)
    # D = h - gap without the cancellation.
    return float(distances @ inverse) / weight, r + math.log(v / r) / r


def falling_root(function: Callable[[float], float], high: float) -> float:
    """Return where a falling function crosses zero at or below ``high`` (Illinois method)."""
    at_high = function(high)
    if at_high >= 0:
        return high
    floor, step = high - _DEEPEST, 1.0
    low, at_low = high - step, function(high - step)
    while at_low < 0:
        if low <= floor:
            return low
        high, at_high, step = low, at_low, 2 * step
        low = max(low - step, floor)
        at_low = function(low)
    for _ in range(100):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        at_middle = function(middle)
        if abs(at_middle) < 1e-11 or high - low < 1e-13 * abs(high):
            return middle
        if at_middle < 0:
            high, at_high, at_low = middle, at_middle, at_low / 2
        else:
            low, at_low, at_high = middle, at_middle, at_high / 2
    return middle
