"""The mean over images of one number an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from semaudit.statistics.evidence import (
    Array,
    Bounds,
    Evidence,
    applicable,
    check_column,
    check_matrix,
    stack,
)
from semaudit.statistics.gaffke import GaffkeSide
from semaudit.statistics.rates import Rate
from semaudit.statistics.student import student_sides


class Side(Protocol):
    """One half of an interval."""

    def limit(self, tail: float) -> float:
        """Return the confidence limit at one-sided error ``tail``."""

    def tail(self, limit: float) -> float:
        """Return the one-sided error at which ``limit`` drops out."""


@dataclass(frozen=True)
class Mean(Evidence):
    """A mean, with the method that its bound allows on each side."""

    below: Side = field(repr=False)
    above: Side = field(repr=False)

    def _limit(self, tail: float, *, above: bool) -> float:
        return (self.above if above else self.below).limit(tail)

    def _tail(self, limit: float) -> float:
        return (self.above if limit > self.value else self.below).tail(limit)


def mean_evidence(
    values: ArrayLike, bounds: Bounds, *, resamples: int = 2000, seed: int = 0
) -> Evidence:
    """Return what (n,) numbers, one an image and NaN where not applicable, say of their mean.

    Values that all lie at a bound are a rate: Clopper-Pearson. Otherwise the limit toward a finite
    bound is Gaffke's and the one toward an infinite bound a bootstrap-t. Only the latter uses
    ``resamples`` and ``seed``; it is infinite for ``alpha < 2 / (resamples + 1)``.

    Coverage of 95 % intervals in 2,000 samples of 40 images x 12 correlated cells, measured in
    tests/test_statistics.py: 98.6 % for flips, 98.5 % skewed and zero-inflated in [0, 1], 96.2 %
    log-normal in [0, inf). Counting the cells as images: 54 to 66 %.
    """
    return _column_evidence(check_column(values, bounds), bounds, resamples, seed)[0]


def mean_intervals(
    matrix: ArrayLike, bounds: Bounds, alpha: float = 0.05, resamples: int = 2000, seed: int = 0
) -> tuple[Array, Array]:
    """Return the lows and highs, (columns,) each, of the means of (n, columns).

    The same numbers as ``mean_evidence`` of each column gives. Memory grows with
    resamples x columns, and only under an infinite bound; not with resamples x images.
    """
    evidence = _column_evidence(check_matrix(matrix, bounds), bounds, resamples, seed)
    return stack(evidence, alpha)


def _column_evidence(matrix: Array, bounds: Bounds, resamples: int, seed: int) -> list[Evidence]:
    below = _sides(matrix, bounds[0], -1.0, resamples, seed)
    above = _sides(matrix, bounds[1], 1.0, resamples, seed)
    columns = [applicable(column) for column in matrix.T]
    return [
        _evidence(values, low, high, bounds)
        for values, low, high in zip(columns, below, above, strict=True)
    ]


def _sides(matrix: Array, bound: float, sign: float, resamples: int, seed: int) -> Sequence[Side]:
    if not np.isfinite(bound):
        return student_sides(matrix, sign, resamples, seed)
    return [GaffkeSide(bound, sign, sign * (bound - applicable(column))) for column in matrix.T]


def _evidence(values: Array, below: Side, above: Side, bounds: Bounds) -> Evidence:
    n, value = len(values), float(values.mean())
    lower, upper = bounds
    # An infinite bound holds no value, so that only a range bounded on both sides can be a rate.
    at_upper = values == upper
    if np.isfinite(bounds).all() and (at_upper | (values == lower)).all():
        return Rate(value, n, bounds, int(at_upper.sum()))
    return Mean(value, n, bounds, below, above)
