"""A model that leaps at a known brightness: where, how far, and in how many steps is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import Threshold, draw_of, scan_along
from scipy.spatial.distance import jensenshannon
from scipy.special import expit

import semaudit

SIZE = (3, 6, 6)
N = 20
SHARP = 3.0
LADDER = {"brightness": (0.025, 0.05, 0.1, 0.15)}
LEAP = jensenshannon([expit(SHARP), expit(-SHARP)], [expit(-SHARP), expit(SHARP)], base=2)


@pytest.fixture(scope="module")
def audit() -> semaudit.Audit:
    images = torch.full((N, *SIZE), 0.5)
    return scan_along(LADDER, Threshold(0.57, SHARP), images, input_size=SIZE)


@pytest.fixture(scope="module")
def brightened(audit: semaudit.Audit) -> np.ndarray:
    return draw_of(audit, "brightness").sign().flatten().numpy() > 0


def paths(audit: semaudit.Audit, column: str) -> np.ndarray:
    frame = audit.paths().astype({"probe": str})
    return frame.loc[frame["probe"] == "brightness", column].to_numpy()


def test_both_ways_were_drawn(brightened: np.ndarray) -> None:
    assert 0 < brightened.sum() < N


def test_onset(audit: semaudit.Audit, brightened: np.ndarray) -> None:
    onset = paths(audit, "onset")
    assert np.isnan(onset[~brightened]).all()
    np.testing.assert_allclose(onset[brightened], 0.07, atol=0.05 / 1000)


def test_one_leap(audit: semaudit.Audit, brightened: np.ndarray) -> None:
    np.testing.assert_allclose(paths(audit, "jump"), np.where(brightened, LEAP, 0), atol=1e-6)
    share = paths(audit, "concentration")
    np.testing.assert_allclose(share[brightened], 1, atol=1e-6)
    assert np.isnan(share[~brightened]).all()
    slope = paths(audit, "secant_slope")
    np.testing.assert_allclose(slope, np.where(brightened, LEAP / 0.05, 0), rtol=1e-4, atol=1e-6)
    # Nothing up to 0.05, a ramp to 0.1, and flat to the end at 0.15.
    area = LEAP**2 * (0.05 / 2 + 0.05) / 0.15
    np.testing.assert_allclose(paths(audit, "shift_area"), np.where(brightened, area, 0), atol=1e-6)


def test_shift_and_flips(audit: semaudit.Audit, brightened: np.ndarray) -> None:
    frame = audit.samples().astype({"probe": str})
    frame = frame[frame["probe"] == "brightness"]
    after = np.array([0, 0, 1, 1]) * brightened[:, None]
    np.testing.assert_array_equal(frame["flip"].to_numpy().reshape(N, 4), after)
    shift = frame["shift"].to_numpy().reshape(N, 4)
    np.testing.assert_allclose(shift, LEAP**2 * after, atol=1e-6)
    assert audit.report.estimate("flip_rate").value == pytest.approx(brightened.mean() / 2)


def test_score_is_that_of_pictures_on_both_sides() -> None:
    """Half of them above the threshold, so that the model is not a constant one."""
    images = torch.full((N, *SIZE), 0.5)
    images[::2] = 0.7
    audit = scan_along(LADDER, Threshold(0.57, SHARP), images, input_size=SIZE)
    sign = draw_of(audit, "brightness").sign().flatten().numpy()
    start = np.where(np.arange(N) % 2, 0.5, 0.7)
    leaps = np.where(sign > 0, start == 0.5, start == 0.7)  # 0.7 - 0.15 < 0.57 < 0.5 + 0.15
    assert audit.report.degenerate is None
    assert audit.score == pytest.approx(100 * (1 - LEAP * leaps.mean()), abs=1e-4)
    onset = np.where(leaps, np.where(start == 0.5, 0.07, 0.13), np.nan)
    np.testing.assert_allclose(paths(audit, "onset"), onset, atol=0.05 / 1000)
