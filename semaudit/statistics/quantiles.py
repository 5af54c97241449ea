"""Quantiles and the maximum over images of one number an image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from semaudit.statistics.evidence import (
    Array,
    Bounds,
    Evidence,
    applicable,
    check_column,
    check_matrix,
    stack,
)


@dataclass(frozen=True)
class Quantile(Evidence):
    """A quantile between two order statistics whose ranks the binomial gives (Conover 1999, 3.2).

    Exact for any distribution, ties included. Where the order statistics run out the limit is the
    metric's bound: 20 images say nothing of how far a 95th percentile can rise.
    """

    q: float
    ordered: Array = field(repr=False, compare=False)
    """(n,) rising values."""

    def _limit(self, tail: float, *, above: bool) -> float:
        ranks = np.arange(self.n, dtype=np.float64)
        lower, upper = self.bounds
        if above:
            # P(more than i of n values lie below the true quantile), falling in i.
            first = int(np.count_nonzero(special.bdtrc(ranks, self.n, self.q) > tail))
            return float(self.ordered[first]) if first < self.n else upper
        last = int(np.count_nonzero(special.bdtr(ranks, self.n, self.q) <= tail))
        return float(self.ordered[last - 1]) if last > 0 else lower

    def _tail(self, limit: float) -> float:
        if limit > self.value:
            under = int(np.searchsorted(self.ordered, limit, side="left"))
            return float(special.bdtrc(under - 1, self.n, self.q)) if under > 0 else 1.0
        return float(special.bdtr(np.searchsorted(self.ordered, limit, "right"), self.n, self.q))


@dataclass(frozen=True)
class Maximum(Evidence):
    """The largest value seen: a limit below it is refuted, one above it never confirmed."""

    def _limit(self, tail: float, *, above: bool) -> float:
        return self.bounds[1] if above else self.value

    def _tail(self, limit: float) -> float:
        return 1.0 if limit > self.value else 0.0


def quantile_evidence(values: ArrayLike, q: float, bounds: Bounds) -> Evidence:
    """Return what (n,) numbers, one an image and NaN where not applicable, say of a quantile.

    ``q`` lies strictly between 0 and 1. The value is numpy's linear quantile; the interval is
    stretched to contain it, should it fall between the outer order statistics and their
    neighbours.
    """
    return _quantile(check_column(values, bounds)[:, 0], q, bounds)


def quantile_intervals(
    matrix: ArrayLike, q: float, bounds: Bounds, alpha: float = 0.05
) -> tuple[Array, Array]:
    """Return the lows and highs, (columns,) each, of a quantile of each of (n, columns)."""
    columns = check_matrix(matrix, bounds).T
    return stack([_quantile(column, q, bounds) for column in columns], alpha)


def max_evidence(values: ArrayLike, bounds: Bounds) -> Evidence:
    """Return what (n,) numbers, one an image, say of the largest over all images.

    The interval is [sample maximum, upper bound] at every level: no sample bounds a maximum from
    above, so a gate on a maximum can fail or stay inconclusive, but never pass.
    """
    sample = applicable(check_column(values, bounds)[:, 0])
    return Maximum(float(sample.max()), len(sample), bounds)


def _quantile(column: Array, q: float, bounds: Bounds) -> Quantile:
    if not 0 < q < 1:
        raise ValueError(f"q must lie strictly between 0 and 1, not {q}")
    ordered = np.sort(applicable(column))
    return Quantile(float(np.quantile(ordered, q)), len(ordered), bounds, q, ordered)
