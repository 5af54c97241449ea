"""Oracles: scipy.stats, simulated Dirichlet weights, worked examples, coverage of a known truth."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from semaudit.statistics import (
    Bounds,
    Evidence,
    holm,
    max_evidence,
    mean_evidence,
    mean_intervals,
    pictures_to_decide,
    quantile_evidence,
    quantile_intervals,
)
from semaudit.statistics.evidence import Array
from semaudit.statistics.gaffke import limit_distance, tail_within
from semaudit.statistics.student import student_sides

UNIT: Bounds = (0.0, 1.0)
OPEN: Bounds = (0.0, np.inf)
ROUND = 1e-9


def rate(successes: int, n: int) -> Array:
    return np.repeat([1.0, 0.0], [successes, n - successes])


def skewed(n: int, columns: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).beta(0.5, 3, (n, columns))


# --- rates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 20), (3, 20), (19, 20), (500, 50_000)])
@pytest.mark.parametrize("alpha", [0.05, 1e-6])
def test_rates_are_clopper_pearson(k: int, n: int, alpha: float) -> None:
    oracle = stats.binomtest(k, n)
    exact = oracle.proportion_ci(1 - alpha, method="exact")
    assert mean_evidence(rate(k, n), UNIT).interval(alpha) == pytest.approx(tuple(exact), abs=1e-12)


def test_a_rate_scales_with_its_bounds() -> None:
    low, high = mean_evidence(rate(3, 20), UNIT).interval()
    scaled = mean_evidence(2 * rate(3, 20) - 1, (-1.0, 1.0)).interval()
    assert scaled == pytest.approx((2 * low - 1, 2 * high - 1))


def test_the_p_value_of_a_rate_doubles_the_smaller_binomial_tail() -> None:
    expected = 2 * stats.binom.cdf(3, 20, 0.4)
    assert mean_evidence(rate(3, 20), UNIT).p_value(0.4) == pytest.approx(expected)


# --- bounded means ----------------------------------------------------------------------------


def test_gaffke_on_all_but_binary_values_is_clopper_pearson() -> None:
    for k, n in [(0, 20), (4, 40), (35, 50)]:
        nearly = rate(k, n)
        nearly[[0, -1]] += [-1e-9 if k else 0.0, 1e-9]
        exact = mean_evidence(rate(k, n), UNIT).interval()
        assert mean_evidence(nearly, UNIT).interval() == pytest.approx(exact, abs=2e-3)


@pytest.mark.parametrize("n", [1, 2, 5, 20, 200, 1000])
@pytest.mark.parametrize("tail", [0.2, 0.025, 1e-5])
def test_the_saddlepoint_is_the_exact_beta_tail(n: int, tail: float) -> None:
    for far in {n, n - n // 2}:  # of n values, `far` at distance 1 from the bound, the rest at it
        distances = rate(far, n)
        exact = stats.beta.cdf(limit_distance(distances, tail), far, n - far + 1)
        assert tail * 0.88 <= exact <= tail * 1.002  # never anti-conservative
        assert tail_within(distances, limit_distance(distances, tail)) == pytest.approx(tail)


@pytest.mark.parametrize(("n", "seed"), [(3, 0), (12, 1), (60, 2)])
def test_gaffke_is_the_quantile_of_simulated_dirichlet_weights(n: int, seed: int) -> None:
    values, draws = skewed(n, 1, seed)[:, 0], 400_000
    weights = np.random.default_rng(9).dirichlet(np.ones(n + 1), draws)
    low, high = mean_evidence(values, UNIT).interval(0.05)
    # 5 standard errors of a tail probability, and 5 % for the formula at n = 3.
    tolerance = 5 * np.sqrt(0.025 / draws) + 0.05 * 0.025
    assert np.mean(weights @ [*values, 1.0] > high) == pytest.approx(0.025, abs=tolerance)
    assert np.mean(weights @ [*values, 0.0] < low) == pytest.approx(0.025, abs=tolerance)


def test_equal_values_do_not_collapse() -> None:
    assert mean_evidence(np.zeros(20), UNIT).interval()[1] == pytest.approx(0.168, abs=1e-3)
    low, high = mean_evidence(np.full(20, 0.3), UNIT).interval()
    assert low < 0.26
    assert high > 0.4
    assert mean_evidence(np.full(20, 0.3), OPEN).interval()[1] == np.inf


def test_hundreds_of_gates_can_be_decided_under_holm() -> None:
    evidence = mean_evidence(skewed(500, 1)[:, 0], UNIT)
    assert all(step.decided for step in holm([evidence.p_value(0.3)] * 1000))


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e-3, 1.0])
@pytest.mark.parametrize("n", [2, 50, 20_000])
def test_gaffke_stays_sound_at_extremes(scale: float, n: int) -> None:
    evidence = mean_evidence(scale * skewed(n, 1)[:, 0], UNIT)
    for alpha in (0.9, 0.05, 1e-9, 1e-60):
        low, high = evidence.interval(alpha)
        assert 0 <= low <= evidence.value <= high <= 1
        for limit in (low, high):
            if 0 < limit < 1 - 1e-12 and alpha < 0.5:
                assert evidence.p_value(limit) == pytest.approx(alpha, rel=1e-3)


# --- unbounded means --------------------------------------------------------------------------


def test_the_lower_limit_of_an_open_range_is_gaffkes() -> None:
    values = np.random.default_rng(0).exponential(1, 50)
    wide: Bounds = (0.0, 1e6)
    assert mean_evidence(values, OPEN).interval()[0] == mean_evidence(values, wide).interval()[0]


def test_a_range_open_on_both_sides_is_mirrored() -> None:
    values = np.random.default_rng(0).normal(1, 2, 60)
    everything: Bounds = (-np.inf, np.inf)
    low, high = mean_evidence(values, everything).interval()
    mirrored = mean_evidence(-values, everything).interval()
    assert mirrored == pytest.approx((-high, -low))
    student = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(student, abs=0.25)


def test_too_few_images_or_replicates_leave_the_range_open() -> None:
    assert mean_evidence([2.0], OPEN).interval()[1] == np.inf
    values = np.random.default_rng(0).exponential(1, 50)
    few = mean_evidence(values, OPEN, resamples=99)
    assert few.interval(0.05)[1] < np.inf
    assert few.interval(0.01)[1] == np.inf
    assert few.p_value(1e6) == pytest.approx(2 / 100)


def test_chunks_change_nothing_but_rounding() -> None:
    matrix = np.random.default_rng(0).exponential(1, (50, 3))
    matrix[::7, 1] = np.nan
    whole, parts = (student_sides(matrix, 1.0, 500, 3, chunk) for chunk in (64, 7))
    for one, other in zip(whole, parts, strict=True):
        assert one.limit(0.025) == pytest.approx(other.limit(0.025), rel=ROUND)


def test_a_seed_repeats_and_another_differs() -> None:
    values = np.random.default_rng(0).exponential(1, 50)
    first, again, other = (mean_evidence(values, OPEN, seed=s).interval() for s in (1, 1, 2))
    assert first == again != other


# --- columns and missing values ---------------------------------------------------------------


@pytest.mark.parametrize("bounds", [UNIT, OPEN, (-np.inf, np.inf)])
def test_batched_is_single_and_trailing_nan_is_dropped(bounds: Bounds) -> None:
    matrix = skewed(40, 6)
    matrix[:, 2] = matrix[:, 2] > 0.1
    matrix[30:, 4] = np.nan
    lows, highs = mean_intervals(matrix, bounds, 0.1)
    for column, low, high in zip(matrix.T, lows, highs, strict=True):
        finite = column[~np.isnan(column)]
        for evidence in (mean_evidence(column, bounds), mean_evidence(finite, bounds)):
            assert evidence.n == len(finite)
            assert evidence.interval(0.1) == pytest.approx((low, high), rel=ROUND)


def test_scattered_nan_is_dropped_up_to_monte_carlo_error() -> None:
    values = np.random.default_rng(0).exponential(1, 100)
    values[::3] = np.nan
    kept = values[~np.isnan(values)]
    exact, dropped = mean_evidence(values, (0, 99)), mean_evidence(kept, (0, 99))
    assert exact.interval() == dropped.interval()
    masked, dropped = (mean_evidence(each, OPEN, resamples=20_000) for each in (values, kept))
    assert masked.interval() == pytest.approx(dropped.interval(), rel=0.02)


def test_batched_quantiles_are_single_ones() -> None:
    matrix = skewed(40, 5)
    matrix[::3, 4] = np.nan
    lows, highs = quantile_intervals(matrix, 0.9, UNIT, 0.1)
    for column, low, high in zip(matrix.T, lows, highs, strict=True):
        finite = column[~np.isnan(column)]
        assert quantile_evidence(column, 0.9, UNIT).interval(0.1) == (low, high)
        assert quantile_evidence(finite, 0.9, UNIT).interval(0.1) == (low, high)


# --- quantiles and maxima ---------------------------------------------------------------------


@pytest.mark.parametrize(("n", "q"), [(20, 0.5), (41, 0.25), (200, 0.95), (2000, 0.95)])
def test_quantile_intervals_against_scipy(n: int, q: float) -> None:
    values = skewed(n, 1)[:, 0]
    oracle = stats.quantile_test(values, q=0.0, p=q).confidence_interval(0.95)
    assert quantile_evidence(values, q, UNIT).interval() == tuple(oracle)


def test_the_p_value_of_a_quantile_against_scipy() -> None:
    values = skewed(60, 1)[:, 0]
    for limit in (0.02, 0.3):
        oracle = min(
            stats.quantile_test(values, q=limit, p=0.5, alternative=side).pvalue
            for side in ("less", "greater")
        )
        assert quantile_evidence(values, 0.5, UNIT).p_value(limit) == pytest.approx(2 * oracle)


def test_bounds_stand_in_where_order_statistics_run_out() -> None:
    values = skewed(20, 1)[:, 0]
    assert quantile_evidence(values, 0.95, UNIT).interval()[1] == 1.0
    assert quantile_evidence(values, 0.05, UNIT).interval()[0] == 0.0
    assert quantile_evidence(values, 0.95, OPEN).interval()[1] == np.inf


def test_a_maximum_can_fail_a_gate_and_never_pass_one() -> None:
    evidence = max_evidence([0.1, np.nan, 0.4], UNIT)
    assert (evidence.value, evidence.n, evidence.interval()) == (0.4, 2, (0.4, 1.0))
    assert evidence.excludes(0.3)
    assert not evidence.excludes(0.5, 0.99)


# --- what holds for every kind of evidence -----------------------------------------------------

SAMPLES = arrays(
    np.float64,
    st.integers(1, 30),
    elements=st.one_of(
        st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        st.floats(0, 1, allow_subnormal=False),
    ),
)
KINDS = {
    "mean": lambda values: mean_evidence(values, UNIT),
    "open mean": lambda values: mean_evidence(values, OPEN, resamples=199),
    "median": lambda values: quantile_evidence(values, 0.5, UNIT),
    "p95": lambda values: quantile_evidence(values, 0.95, OPEN),
    "max": lambda values: max_evidence(values, UNIT),
}
LEVELS = st.floats(1e-6, 0.99)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)  # a shared machine
@given(values=SAMPLES, alpha=LEVELS, other=LEVELS, limit=st.floats(-0.1, 1.1))
def test_interval_and_p_value_agree(
    kind: str, values: Array, alpha: float, other: float, limit: float
) -> None:
    evidence = KINDS[kind](values)
    low, high = evidence.interval(alpha)
    assert low <= evidence.value <= high
    if other > alpha:
        inner = evidence.interval(other)
        assert low - ROUND <= inner[0]
        assert inner[1] <= high + ROUND
    # Within rounding of an end, root finding decides; away from it the two must agree.
    p = evidence.p_value(limit)
    assume(min(abs(limit - low), abs(limit - high)) > ROUND or limit in values)
    assume(abs(p - alpha) > ROUND)
    assert evidence.excludes(limit, alpha) == (not low <= limit <= high)


# --- decisions --------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    # 0.01 <= 0.05/4; 0.02 > 0.05/3 stops; 0.024 < 0.05/2 is not looked at any more.
    steps = holm([0.024, 0.01, 0.9, 0.02])
    assert [step.decided for step in steps] == [False, True, False, False]
    assert [step.level for step in steps] == pytest.approx([0.05 / 3, 0.05 / 4, 0.05 / 3, 0.05 / 3])
    assert [step.decided for step in holm([0.012, 0.016, 0.024, 0.05])] == [True] * 4
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_decides_exactly_what_its_level_does(p_values: list[float]) -> None:
    for p, step in zip(p_values, holm(p_values), strict=True):
        assert step.decided == (p <= step.level)


@pytest.mark.parametrize(
    ("values", "limit"), [([0.0] * 20, 0.05), ([0.0] * 99 + [0.2], 0.01), ([0, 1] * 30, 0.55)]
)
def test_pictures_to_decide(values: list[float], limit: float) -> None:
    def repeated(times: int) -> Evidence:
        return mean_evidence(np.tile(values, times), UNIT)

    need = pictures_to_decide(repeated, limit)
    assert need is not None
    times = need // len(values)
    assert repeated(times).excludes(limit)
    assert not repeated(min(times - 1, int(times * 0.85))).excludes(limit)


def test_no_number_of_pictures_decides_a_tie() -> None:
    def repeated(times: int) -> Evidence:
        return mean_evidence(np.tile([0.1, 0.3], times), UNIT)

    assert pictures_to_decide(repeated, repeated(1).value) is None


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([], UNIT),
        ([np.nan, np.nan], UNIT),
        ([0.5, 1.1], UNIT),
        ([0.5, np.inf], OPEN),
        ([0.5], (1.0, 0.0)),
        ([[0.5]], UNIT),
    ],
)
def test_bad_values_are_refused(values: list[float], bounds: Bounds) -> None:
    for build in (
        lambda: mean_evidence(values, bounds),
        lambda: quantile_evidence(values, 0.5, bounds),
        lambda: max_evidence(values, bounds),
    ):
        with pytest.raises(ValueError, match=r"bounds|no image|expected"):
            build()


def test_bad_levels_are_refused() -> None:
    evidence = mean_evidence([0.5], UNIT)
    with pytest.raises(ValueError, match="alpha"):
        evidence.interval(0.0)
    with pytest.raises(ValueError, match="alpha"):
        holm([0.1], 1.0)
    with pytest.raises(ValueError, match="p-value"):
        holm([float("nan")])
    with pytest.raises(ValueError, match="finite"):
        evidence.p_value(float("nan"))
    with pytest.raises(ValueError, match="q must"):
        quantile_evidence([0.5], 1.0, UNIT)


def test_rounding_past_a_bound_is_clipped() -> None:
    assert mean_evidence(np.float32([0.5, 1 + 1e-7]), UNIT).interval()[1] <= 1


def test_start_up_stays_light() -> None:
    code = "import sys, semaudit.statistics; sys.exit('scipy.stats' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- coverage ---------------------------------------------------------------------------------

TRIALS, IMAGES, CELLS = 2000, 40, 12


def clustered(kind: str, rng: np.random.Generator, images: int, trials: int) -> Array:
    """Return (images, cells, trials) whose cells share an effect of their image."""
    effect, cells = (images, 1, trials), (images, CELLS, trials)
    if kind == "flips":
        return (rng.random(cells) < rng.beta(0.3, 2.0, effect)).astype(np.float64)
    if kind == "skewed":
        centre = rng.beta(0.6, 2.5, effect)
        return rng.beta(4 * centre + 0.01, 4 * (1 - centre) + 0.01, cells)
    if kind == "zero-inflated":
        return (rng.random(effect) < 0.4) * rng.beta(0.8, 3.0, effect) * rng.random(cells)
    return np.exp(0.8 * rng.standard_normal(effect)) * rng.gamma(2.0, 1.0, cells)


MEANS = {
    "flips": 0.3 / 2.3,
    "zero-inflated": 0.4 * (0.8 / 3.8) * 0.5,
    "unbounded": 2 * np.exp(0.32),
}
RANGES = {"flips": UNIT, "skewed": UNIT, "zero-inflated": UNIT, "unbounded": OPEN}


def held(intervals: tuple[Array, Array], truth: float) -> float:
    low, high = intervals
    return float(np.mean((low <= truth) & (truth <= high)))


def truth_of(kind: str) -> tuple[float, float, float]:
    """Return mean (closed form where there is one), median and p95 of two million images."""
    rng = np.random.default_rng(99)
    images = np.concatenate(
        [clustered(kind, rng, 200, 1000).mean(axis=1).ravel() for _ in range(10)]
    )
    median, p95 = np.quantile(images, [0.5, 0.95])
    return MEANS.get(kind, float(images.mean())), float(median), float(p95)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RANGES)
def test_intervals_hold_the_truth_of_clustered_data(kind: str) -> None:
    mean, median, p95 = truth_of(kind)
    values = clustered(kind, np.random.default_rng(2024), IMAGES, TRIALS).mean(axis=1)
    coverage = {
        "mean": held(mean_intervals(values, RANGES[kind]), mean),
        "median": held(quantile_intervals(values, 0.5, RANGES[kind]), median),
        "p95": held(quantile_intervals(values, 0.95, RANGES[kind]), p95),
    }
    print(kind, coverage)
    assert min(coverage.values()) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("kind", RANGES)
def test_counting_cells_as_images_would_fail(kind: str) -> None:
    mean, *_ = truth_of(kind)
    cells = clustered(kind, np.random.default_rng(2024), IMAGES, TRIALS)
    flat = cells.reshape(IMAGES * CELLS, TRIALS)
    coverage = held(mean_intervals(flat, RANGES[kind]), mean)
    print(kind, coverage)
    assert coverage < 0.85
