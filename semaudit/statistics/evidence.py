"""The protocol that every estimate follows, and the check that every sample passes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Bounds = tuple[float, float]
"""The known range of a metric, ``(lower, upper)``; either end may be infinite."""

ROUNDING = 1e-6
"""How far past a bound a value may lie, in units of the range: float32 metrics round."""


@dataclass(frozen=True)
class Evidence(ABC):
    """What n images say of one number of a model.

    A subclass supplies the two one-sided halves; this base makes them two-sided at alpha / 2 each
    and keeps interval and p-value consistent: ``p_value(limit) <= alpha`` exactly when
    ``interval(alpha)`` excludes ``limit``.
    """

    value: float
    """The point estimate, in the metric's own units."""
    n: int
    """Images that it rests on (those where the metric applies)."""
    bounds: Bounds = field(repr=False)

    @abstractmethod
    def _limit(self, tail: float, *, above: bool) -> float:
        """Return the one-sided confidence limit at error ``tail``, above or below the value."""

    @abstractmethod
    def _tail(self, limit: float) -> float:
        """Return the smallest one-sided error at which ``limit`` (not the value) is excluded."""

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return the closed ``1 - alpha`` confidence interval; it always contains the value."""
        tail = check_level(alpha) / 2
        lower, upper = self.bounds
        low, high = self._limit(tail, above=False), self._limit(tail, above=True)
        return max(lower, min(low, self.value)), min(upper, max(high, self.value))

    def p_value(self, limit: float) -> float:
        """Return the two-sided p-value, in [0, 1], of "the true number equals ``limit``"."""
        if not np.isfinite(limit):
            raise ValueError(f"a limit must be a finite number, not {limit}")
        if limit == self.value:
            return 1.0
        lower, upper = self.bounds
        return min(1.0, 2 * self._tail(limit)) if lower <= limit <= upper else 0.0

    def excludes(self, limit: float, alpha: float = 0.05) -> bool:
        """Say whether the ``1 - alpha`` interval leaves ``limit`` out."""
        return self.p_value(limit) <= check_level(alpha)


def check_level(alpha: float) -> float:
    """Return ``alpha``, which must lie strictly between 0 and 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie strictly between 0 and 1, not {alpha}")
    return alpha


def check_matrix(matrix: ArrayLike, bounds: Bounds) -> Array:
    """Return (n, columns) float64 within ``bounds``; NaN stays and means "not applicable"."""
    lower, upper = bounds
    if not lower < upper:
        raise ValueError(f"bounds must rise, not {bounds}")
    checked = np.asarray(matrix, dtype=np.float64)
    if checked.ndim != 2:
        raise ValueError(f"expected (images, columns), not shape {checked.shape}")
    empty = np.flatnonzero(np.isnan(checked).all(axis=0))
    if empty.size:
        raise ValueError(f"no image has a value in column {', '.join(map(str, empty))}")
    slack = ROUNDING * (upper - lower) if np.isfinite(upper - lower) else ROUNDING
    # Infinity is refused under an infinite bound too: no mean or interval survives it.
    outside = np.isinf(checked) | (checked < lower - slack) | (checked > upper + slack)
    if outside.any():
        raise ValueError(f"value {checked[outside][0]} lies outside the bounds {bounds}")
    clipped: Array = np.clip(checked, lower, upper)
    return clipped


def check_column(values: ArrayLike, bounds: Bounds) -> Array:
    """Return (n, 1) float64 from (n,) values, checked like a matrix."""
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"expected one number an image, not shape {column.shape}")
    return check_matrix(column[:, None], bounds)


def applicable(column: Array) -> Array:
    """Return the values of (n,) that are not NaN, in their order."""
    kept: Array = column[~np.isnan(column)]
    return kept


def stack(evidence: Sequence[Evidence], alpha: float) -> tuple[Array, Array]:
    """Return the lows and the highs, (columns,) each, of many intervals."""
    pairs = np.array([each.interval(alpha) for each in evidence], dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
