"""Cases by hand, and what must hold of any path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semaudit.metrics import Path
from semaudit.metrics.paths import STILL, concentration, jump, secant_slope, shift_area


def path(
    distance: list[list[float]],
    *,
    shift: list[list[float]] | None = None,
    step: list[list[float]] | None = None,
    strengths: list[float] | None = None,
) -> Path:
    steps = torch.tensor(distance, dtype=torch.float64)
    rungs = steps.shape[1]
    return Path(
        strengths=torch.tensor(strengths or range(1, rungs + 1), dtype=torch.float64),
        shift=steps if shift is None else torch.tensor(shift, dtype=torch.float64),
        distance=steps,
        input_step=torch.ones_like(steps) if step is None else torch.tensor(step).double(),
    )


def test_by_hand() -> None:
    given = path([[0.1, 0.4, 0.0, 0.3], [0.2, 0.2, 0.2, 0.2], [0.0, 0.0, 0.9, 0.0]])
    assert jump(given).tolist() == [0.4, 0.2, 0.9]
    assert concentration(given).tolist() == pytest.approx([0.5, 0.25, 1.0])


def test_a_still_path_has_no_concentration_and_no_jump() -> None:
    still = path([[0.0, 0.0], [STILL / 4, STILL / 4]])
    assert concentration(still).isnan().tolist() == [True, True]
    assert jump(still).tolist() == [0, STILL / 4]
    assert shift_area(path([[0.0, 0.0]])).tolist() == [0]


def test_secant_slope_is_the_steepest_step() -> None:
    given = path(
        [[0.1, 0.4], [0.3, 0.2], [0.0, 0.0], [0.5, 0.2], [0.1, 0.2]],
        step=[[0.1, 0.8], [0.0, 0.4], [0.2, 0.1], [0.0, 0.0], [0.1, 0.1]],
    )
    slope = secant_slope(given).numpy()
    # A step of the input of zero has no slope; an input that never moved has none at all.
    np.testing.assert_allclose(slope, [1.0, 0.5, 0.0, np.nan, 2.0])


def test_shift_area_by_hand() -> None:
    given = path([[0, 0, 0]], shift=[[0.2, 0.4, 1.0]], strengths=[1.0, 3.0, 4.0])
    triangles = 0.5 * 1 * 0.2 + 0.5 * (0.2 + 0.4) * 2 + 0.5 * (0.4 + 1.0) * 1
    assert shift_area(given).tolist() == pytest.approx([triangles / 4])
    # Shift in proportion to strength covers half.
    line = path([[0, 0, 0]], shift=[[0.1, 0.2, 0.8]], strengths=[0.1, 0.2, 0.8])
    assert shift_area(line).tolist() == pytest.approx([0.4])


steps = st.integers(1, 6).flatmap(
    lambda rungs: arrays(np.float64, (3, rungs), elements=st.floats(0, 1, width=32))
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_jump_and_concentration_keep_within_the_drift(distance: np.ndarray) -> None:
    given = path(distance.tolist())
    drift, rungs = distance.sum(1), distance.shape[1]
    largest, share = jump(given).numpy(), concentration(given).numpy()
    assert (largest <= drift + 1e-12).all()
    assert (largest >= drift / rungs - 1e-12).all()
    moved = drift > STILL
    assert np.array_equal(np.isnan(share), ~moved)
    assert (share[moved] <= 1 + 1e-12).all()
    assert (share[moved] >= 1 / rungs - 1e-12).all()


@given(st.integers(1, 8), st.floats(1e-3, 1), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_even_drift_and_one_leap(rungs: int, size: float, at: int) -> None:
    assert concentration(path([[size] * rungs])).item() == pytest.approx(1 / rungs)
    leap = [size * (k == at % rungs) for k in range(rungs)]
    assert concentration(path([leap])).item() == pytest.approx(1)
    assert jump(path([leap])).item() == size


@given(steps, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_shift_area_lies_between_nothing_and_the_largest_shift(
    shift: np.ndarray, seed: int
) -> None:
    rungs = shift.shape[1]
    strengths = np.cumsum(np.random.default_rng(seed).uniform(0.01, 1, rungs))
    given = path(np.zeros_like(shift).tolist(), shift=shift.tolist(), strengths=strengths.tolist())
    area = shift_area(given).numpy()
    whole = np.concatenate([np.zeros((3, 1)), shift], 1)
    expected = np.trapezoid(whole, np.concatenate([[0], strengths]), axis=1) / strengths[-1]
    np.testing.assert_allclose(area, expected, atol=1e-12)
    assert (area >= 0).all()
    assert (area <= shift.max(1) + 1e-12).all()
