"""Eleven significant bits: close, idempotent, within the range, and no bias."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semaudit.baselines.rounding import BITS, rounded

UNIT = (0.0, 1.0)


def one(value: float, bounds: tuple[float, float] = (-math.inf, math.inf)) -> float:
    return float(rounded(np.array([value]), bounds)[0])


@given(st.floats(-1e30, 1e30, allow_subnormal=False))
def test_the_error_is_small_beside_the_number(value: float) -> None:
    assert abs(one(value) - value) <= abs(value) / 2 ** (BITS + 1) * 2
    mantissa, _ = math.frexp(one(value))
    assert (mantissa * 2**BITS).is_integer()


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_rounded_stays_as_it_is_within_any_range(value: float, top: float) -> None:
    bounds = (0.0, max(top, 1e-300))
    once = one(min(value, bounds[1]), bounds)
    assert bounds[0] <= once <= bounds[1]
    assert one(once, bounds) == once
    stored = float(np.float32(once))  # as a file holds it
    assert one(min(stored, bounds[1]), bounds) in (once, one(stored, bounds))


@given(st.floats(0, 1), st.floats(0, 1))
def test_order_is_kept(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert one(low) <= one(high)


def test_ends_and_gaps_stay() -> None:
    np.testing.assert_array_equal(
        rounded(np.array([0.0, 1.0, np.nan, 0.5], dtype=np.float32), UNIT), [0, 1, np.nan, 0.5]
    )


def test_a_mean_is_not_moved() -> None:
    values = np.random.default_rng(0).beta(0.5, 4, 200_000)
    assert abs(rounded(values, UNIT).mean() / values.mean() - 1) < 3e-6
