"""Confidence limits of a mean toward a side on which nothing bounds the values.

Bootstrap-t (Efron 1982; Hall 1988, "Theoretical comparison of bootstrap confidence intervals"),
with two precautions, because it leaves out the mean of skewed data too often when n is small:

- one more image stands at the sample's largest value, as Gaffke's stands at the bound. With 20 to
  100 images whose effect is exponential or log-normal (log-scale 0.8 and 1) and 12 cells each,
  the upper limit at 2.5 % then missed the mean in 1.2 to 3.8 % of 4,000 samples; without it in 2.9
  to 7.1 %. It costs 15 to 20 % of width. At n = 10 and the heaviest tail it still missed in 7 %.
- a replicate without variance says nothing of the scale, and counts as infinitely far out.

A replicate draws Poisson(1) copies of each image independently, which needs no fixed total: images
can be taken chunk by chunk, and "not applicable" is a weight of zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from semaudit.statistics.evidence import Array

CHUNK = 128
"""Images whose weights exist at once: 2,000 resamples take 4 MB, however many images there are."""


@dataclass(frozen=True)
class StudentSide:
    """The one-sided limit of a mean, from B bootstrap replicates of its studentised deviation."""

    sign: float
    """1 for the limit above the values, -1 for the one below."""
    location: float
    scale: float
    pivots: Array = field(repr=False, compare=False)
    """(B,) replicates of (mean* - mean) / standard error*, rising, for the values times sign."""

    def limit(self, tail: float) -> float:
        """Return the confidence limit; infinite where B replicates cannot resolve ``tail``."""
        rank = math.floor(tail * (len(self.pivots) + 1) + 1e-9)
        if rank == 0 or self.scale == 0:
            return self.sign * math.inf
        return self.sign * (self.location - float(self.pivots[rank - 1]) * self.scale)

    def tail(self, limit: float) -> float:
        """Return (count + 1) / (B + 1), never below what B replicates can resolve."""
        if self.scale == 0:
            return 1.0
        pivot = (self.location - self.sign * limit) / self.scale
        count = int(np.searchsorted(self.pivots, pivot, side="right"))
        return (count + 1) / (len(self.pivots) + 1)


def student_sides(
    matrix: Array, sign: float, resamples: int, seed: int, chunk: int = CHUNK
) -> list[StudentSide]:
    """Return the limit above (``sign`` 1) or below (-1) of each column of (n, columns).

    Columns share their resampling weights. NaN is "not applicable" and weighs nothing.
    """
    signed = sign * matrix
    values = np.vstack([np.nanmax(signed, axis=0), signed])
    mean = np.nanmean(values, axis=0)
    present = ~np.isnan(values)
    # Centred, so that the sums of squares below do not cancel.
    centred = np.where(present, values - mean, 0.0)
    count = present.sum(axis=0)
    variance = (centred**2).sum(axis=0) / (count - 1)
    scale = np.where(np.ptp(np.where(present, values, mean), axis=0) > 0, variance / count, 0.0)
    pivots = _pivots(centred, present, variance, np.random.default_rng(seed), resamples, chunk)
    return [
        StudentSide(sign, float(m), math.sqrt(s), column)
        for m, s, column in zip(mean, scale, pivots.T, strict=True)
    ]


def _pivots(
    centred: Array,
    present: np.typing.NDArray[np.bool_],
    variance: Array,
    rng: np.random.Generator,
    resamples: int,
    chunk: int,
) -> Array:
    """Return the sorted replicates, (resamples, columns), of the studentised mean of columns."""
    shape = (resamples, centred.shape[1])
    size, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for start in range(0, len(centred), chunk):
        rows = slice(start, start + chunk)
        # One row an image: the stream is the same however the images are chunked.
        weights = rng.poisson(1.0, (len(centred[rows]), resamples)).astype(np.float64).T
        complete = bool(present[rows].all())
        size += weights.sum(axis=1, keepdims=True) if complete else weights @ present[rows]
        total += weights @ centred[rows]
        squares += weights @ centred[rows] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / size
        spread = (squares - size * mean**2) / (size - 1)
        pivots = mean / np.sqrt(spread / size)
    varies = (size > 1) & (spread > 1e-12 * variance)
    return np.sort(np.where(varies, pivots, -np.inf), axis=0)
