"""The precision of what is held against a baseline.

A baseline's file keeps eleven significant bits of a number: twice as close as the third digit that
is shown of one, and 1.7 bytes in the file instead of 4. Whoever compares rounds both sides alike, a
folder's numbers too. So a file and the folder that it was made of give the same figures to the last
bit, and a model has no difference from itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semaudit.layout import Array
from semaudit.metric import Bounds

BITS = 11
"""Significant bits: a relative error of at most 1 / 4,096 a number, up as often as down."""


def rounded(values: NDArray[np.floating], bounds: Bounds) -> Array:
    """Round each number to `BITS` significant bits, within ``bounds``; NaN stays.

    What is rounded already stays as it is.
    """
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64))
    steps = np.rint(np.ldexp(mantissa, BITS))
    found: Array = np.clip(np.ldexp(steps, exponent - BITS), *bounds)
    return found
