"""Two models on the same images. Oracles: scipy.stats, simulated Dirichlet weights, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from semaudit.statistics import Bounds, paired_evidence, sign_test
from semaudit.statistics.evidence import Array

UNIT: Bounds = (0.0, 1.0)
OPEN: Bounds = (0.0, np.inf)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_sign_test_is_scipys_binomial_test(lower: int, higher: int) -> None:
    total = lower + higher
    expected = stats.binomtest(lower, total, 0.5).pvalue if total else 1.0
    assert sign_test(lower, higher) == pytest.approx(expected, rel=1e-9)


def test_a_count_is_not_negative() -> None:
    with pytest.raises(ValueError, match="-1"):
        sign_test(-1, 3)


def test_mcnemars_exact_test_by_hand() -> None:
    # 3 right before and wrong now, 9 the other way: 2 (1 + 12 + 66 + 220) / 2**12.
    before = np.repeat([1.0, 0.0, 1.0, 0.0], [3, 9, 20, 8])
    after = np.repeat([0.0, 1.0, 1.0, 0.0], [3, 9, 20, 8])
    found = paired_evidence(before, after, UNIT)
    assert (found.lower, found.higher) == (3, 9)
    assert found.p_value == pytest.approx(2 * 299 / 4096)
    assert (found.before, found.after) == (23 / 40, 29 / 40)
    assert found.difference.value == pytest.approx(6 / 40)


@pytest.mark.parametrize(("n", "seed"), [(8, 0), (40, 1)])
def test_the_interval_is_the_quantile_of_simulated_dirichlet_weights(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.beta(0.5, 3, n), rng.beta(0.5, 3, n)
    low, high = paired_evidence(before, after, UNIT).difference.interval()
    draws = 400_000
    weights = np.random.default_rng(9).dirichlet(np.ones(n + 1), draws)
    tolerance = 5 * np.sqrt(0.025 / draws) + 0.05 * 0.025
    assert np.mean(weights @ [*(after - before), 1.0] > high) == pytest.approx(0.025, abs=tolerance)
    assert np.mean(weights @ [*(after - before), -1.0] < low) == pytest.approx(0.025, abs=tolerance)


PAIRS = arrays(
    np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.floats(0, 1, width=16)
)


@given(PAIRS)
def test_the_two_models_can_be_exchanged(pairs: Array) -> None:
    one, other = (paired_evidence(*each, UNIT) for each in (pairs.T, pairs.T[::-1]))
    assert (one.lower, one.higher) == (other.higher, other.lower)
    assert one.p_value == other.p_value
    low, high = one.difference.interval()
    assert other.difference.interval() == pytest.approx((-high, -low), abs=1e-9)
    assert low <= one.difference.value <= high


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1)))
def test_the_same_twice_is_no_difference(values: Array) -> None:
    found = paired_evidence(values, values, UNIT)
    assert (found.difference.value, found.lower, found.higher, found.p_value) == (0, 0, 0, 1)
    low, high = found.difference.interval()
    assert low == pytest.approx(-high)
    assert high > 0


def test_the_order_of_a_sum_is_no_difference() -> None:
    before = np.array([0.1 + 0.2 + 0.3, 0.5])
    after = np.array([0.3 + 0.2 + 0.1, 0.25])
    assert before[0] != after[0]
    found = paired_evidence(before, after, UNIT)
    assert (found.lower, found.higher) == (1, 0)
    assert found.difference.value == -0.125


def test_an_image_with_one_value_counts_in_neither_mean() -> None:
    found = paired_evidence([0.1, np.nan, 0.5, 0.3], [0.3, 0.9, np.nan, 0.1], UNIT)
    assert (found.before, found.after, found.difference.n) == (0.2, 0.2, 2)
    assert (found.lower, found.higher) == (1, 1)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([0.1, 0.2], [0.1], "2 images before and 1 after"),
        ([0.1, np.nan], [np.nan, 0.1], "before and after"),
        ([1.1], [0.1], "outside the bounds"),
    ],
)
def test_what_is_no_pair(before: list[float], after: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        paired_evidence(before, after, UNIT)


def test_without_an_upper_bound_both_sides_are_a_bootstrap() -> None:
    rng = np.random.default_rng(0)
    before = rng.exponential(1, 80)
    after = before + rng.normal(0.3, 0.5, 80).clip(-before)
    low, high = paired_evidence(before, after, OPEN).difference.interval()
    student = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert (low, high) == pytest.approx(tuple(student), abs=0.08)


# --- coverage ---------------------------------------------------------------------------------

IMAGES, CELLS, TRIALS = 40, 12, 400


def two_models(kind: str, rng: np.random.Generator, images: int) -> tuple[Array, Array]:
    """(images,) means over cells of two models whose cells share an effect of their image."""
    effect, cells = rng.beta(0.4, 2.0, (images, 1)), (images, CELLS)
    if kind == "flips":
        both = [rng.random(cells) < effect**power for power in (1.0, 1.4)]
    elif kind == "right or wrong":
        hard = rng.random((images, 1))
        both = [np.repeat(hard < share, CELLS, axis=1) for share in (0.9, 0.85)]
    elif kind == "skewed":
        both = [effect * rng.random(cells) * scale for scale in (1.0, 0.7)]
    elif kind == "rare leaps":  # all but one image in fifty move less
        leaps = rng.random((images, 1)) < 0.02
        both = [0.05 + 0.02 * rng.random(cells), np.where(leaps, 0.9, 0.03 + 0 * effect)]
    else:
        size = np.exp(0.6 * rng.standard_normal((images, 1)))
        both = [size * rng.gamma(4.0, scale, cells) for scale in (0.25, 0.2)]
    before, after = (np.broadcast_to(each, cells).mean(axis=1, dtype=np.float64) for each in both)
    return before, after


@pytest.mark.parametrize("kind", ["flips", "right or wrong", "skewed", "rare leaps", "unbounded"])
def test_intervals_hold_the_true_difference(kind: str) -> None:
    before, after = two_models(kind, np.random.default_rng(99), 1_000_000)
    truth = float((after - before).mean())
    rng = np.random.default_rng(2024)
    held, certain = 0, 0
    for _ in range(TRIALS):
        bounds = OPEN if kind == "unbounded" else UNIT
        pair = paired_evidence(*two_models(kind, rng, IMAGES), bounds, resamples=999)
        low, high = pair.difference.interval()
        held += low <= truth <= high
        certain += not low <= 0 <= high
    print(kind, held / TRIALS, certain / TRIALS)
    assert held / TRIALS >= 0.94


def test_a_paired_t_interval_is_blind_to_rare_leaps() -> None:
    """Why the interval assumes nothing but the range: a rare leap is what an audit is for."""
    before, after = two_models("rare leaps", np.random.default_rng(99), 1_000_000)
    truth, rng, held = float((after - before).mean()), np.random.default_rng(2024), 0
    for _ in range(TRIALS):
        before, after = two_models("rare leaps", rng, IMAGES)
        low, high = stats.ttest_rel(after, before).confidence_interval(0.95)
        held += low <= truth <= high
    assert held / TRIALS < 0.8
