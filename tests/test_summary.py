"""Every estimate against pandas, from the tables that an audit hands out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from known_models import ON_CPU, Linear, Threshold, busy_audit, pictures, scan_along
from scipy.stats import entropy as scipy_entropy

import semaudit
from semaudit.degeneracy import CONSTANT_BITS
from semaudit.layout import ASIDE
from semaudit.metrics import METRICS
from semaudit.taxonomy import TRANSPORT

RUNGS = [m for m in METRICS.values() if m.level == "rung"]
PATHS = [m for m in METRICS.values() if m.level == "path"]
STATISTICS = {
    "mean": lambda numbers: numbers.mean(),
    "median": lambda numbers: numbers.median(),
    "p95": lambda numbers: numbers.quantile(0.95),
    "max": lambda numbers: numbers.max(),
}


@pytest.fixture(scope="module")
def audit() -> semaudit.Audit:
    return busy_audit()


def long(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row a picture and probe: image, probe, family, value."""
    frame = frame.astype({"image": str, "probe": str, "family": str, column: float})
    by_probe = frame.groupby(["image", "probe", "family"], sort=False)[column].mean()
    return by_probe.reset_index(name="value")


def per_picture(paths: pd.DataFrame, scope: str, name: str) -> pd.Series:
    """The rule in pandas; where a path has no value the others of the picture share its weight."""
    if scope == "probe":
        return paths[paths["probe"] == name].set_index("image")["value"]
    if scope == "family":
        counted = paths[paths["family"] == name]
    else:
        counted = paths[~paths["family"].isin(ASIDE)]
    # A probe on which a metric is not measured at all is no part of its family's mean.
    measured = counted.groupby("probe")["value"].transform(lambda values: values.notna().any())
    counted = counted[measured.astype(bool)] if measured.any() else counted
    probes = counted.groupby("family")["probe"].nunique()
    weights = 1 / (counted["family"].map(probes) * len(probes))
    weights = weights.where(counted["value"].notna())
    weighted = (counted["value"] * weights).groupby(counted["image"]).sum(min_count=1)
    return weighted / weights.groupby(counted["image"]).sum(min_count=1)


def numbers_of(audit: semaudit.Audit, metric: str, scope: str, name: str) -> pd.Series:
    if metric == "score":
        return 100 * (1 - per_picture(long(audit.paths(), "jump"), scope, name))
    if metric == "noise_floor":
        return per_picture(long(audit.samples(), "shift"), "probe", "identity")
    column = METRICS[metric].column
    if METRICS[metric].level == "image":
        return audit.images()[column]
    frame = audit.samples() if METRICS[metric].level == "rung" else audit.paths()
    if metric == "onset":
        ends = {probe.name: probe.ladder[-1] for probe in audit.report.battery}
        last = frame["probe"].astype(str).map(ends).astype(float)
        frame = frame.assign(onset=frame["onset"].astype(float).fillna(last))
    return per_picture(long(frame, column), scope, name)


def test_every_estimate_is_that_of_pandas(audit: semaudit.Audit) -> None:
    summary = audit.summary()
    for (metric, scope, name), rows in summary.groupby(["metric", "scope", "name"]):
        numbers = numbers_of(audit, metric, scope, name).dropna()
        for row in rows.itertuples():
            expected = STATISTICS[row.statistic](numbers)
            assert row.value == pytest.approx(expected, rel=1e-6, abs=1e-7), row
            assert row.n == len(numbers), row


def test_every_metric_statistic_and_scope_is_there(audit: semaudit.Audit) -> None:
    battery = audit.report.battery
    probes = {("probe", probe.name) for probe in battery}
    families = {("family", probe.family) for probe in battery} - {("family", "identity")}
    found = {(e.metric, e.statistic, e.scope, e.name) for e in audit.report.estimates}
    assert len(found) == len(audit.report.estimates)
    gradients = [metric for metric in METRICS.values() if metric.needs_gradients]
    assert {m.name for m in gradients} <= {metric for metric, *_ in found}
    for metric in (*RUNGS, *PATHS):
        if metric in gradients or metric.name == TRANSPORT:
            continue
        # Along the noise floor nothing moves, or by rounding: these have no value there.
        still = {"concentration", "secant_slope", "onset"}
        scopes = probes - ({("probe", "identity")} if metric.name in still else set())
        wanted = (scopes | families | {("all", "all")}) if metric.comparable else scopes
        for scope, name in wanted:
            for statistic in STATISTICS:
                assert (metric.name, statistic, scope, name) in found
    for statistic in STATISTICS:
        assert ("score", statistic, "all", "all") in found
        assert ("noise_floor", statistic, "all", "all") in found
    assert not {e.metric for e in audit.report.estimates} & {"accuracy", "confidence", "entropy"}


def test_intervals_contain_their_value_and_keep_inside_the_bounds(audit: semaudit.Audit) -> None:
    ends = {probe.name: probe.ladder[-1] for probe in audit.report.battery}
    for estimate in audit.report.estimates:
        assert estimate.low is None or estimate.low <= estimate.value, estimate
        assert estimate.high is None or estimate.value <= estimate.high, estimate
        if estimate.metric == "onset":
            assert 0 <= estimate.low <= estimate.high <= ends[estimate.name], estimate
        elif estimate.metric in METRICS:
            low, high = METRICS[estimate.metric].bounds
            assert estimate.low is None or estimate.low >= low, estimate
            assert estimate.high is None or estimate.high <= high, estimate
            assert estimate.high is not None or math.isinf(high), estimate


def test_an_onset_at_the_very_end_of_a_ladder_stays_inside_its_interval() -> None:
    """0.15 as float32 is above 0.15."""
    images = pictures(6, (1, 8, 8), 1, low=0.5, high=0.5)
    ladder = {"brightness": (0.05, 0.15)}
    audit = scan_along(ladder, Threshold(0.64999), images, input_size=(1, 8, 8))
    onsets = audit.paths()["onset"].dropna()
    assert len(onsets)
    assert onsets.max() == np.float32(0.15)
    estimates = [e for e in audit.report.estimates if (e.metric, e.name) == ("onset", "brightness")]
    assert len(estimates) == 4
    for estimate in estimates:
        assert estimate.low <= estimate.value <= estimate.high <= 0.15, estimate


def test_a_rate_of_one_stays_inside_its_interval() -> None:
    """Weights that sum to one but for rounding."""
    for probes in (["brightness"], ["brightness", "contrast", "gamma"], ["noise", "photometric"]):
        images = pictures(6, (3, 8, 8), 1)
        audit = semaudit.scan(
            Linear((3, 8, 8), 4, seed=1), images, select=probes, input_size=(3, 8, 8), **ON_CPU
        )
        for e in audit.report.estimates:
            assert e.low is None or e.low <= e.value, e
            assert e.high is None or e.value <= e.high, e


def test_curves_are_the_means_along_the_ladders(audit: semaudit.Audit) -> None:
    frame = audit.samples().astype({"probe": str})
    assert [curve.probe for curve in audit.report.curves] == frame["probe"].unique().tolist()
    for curve in audit.report.curves:
        by_rung = frame[frame["probe"] == curve.probe].groupby("rung")
        means = by_rung[["strength", "shift", "flip", "ssim", "input_rms"]].mean()
        np.testing.assert_allclose(curve.strengths, means["strength"])
        np.testing.assert_allclose([e.value for e in curve.shift], means["shift"], rtol=1e-5)
        np.testing.assert_allclose([e.value for e in curve.flip_rate], means["flip"], rtol=1e-6)
        np.testing.assert_allclose(curve.ssim, means["ssim"], rtol=1e-5)
        np.testing.assert_allclose(curve.input_rms, means["input_rms"], rtol=1e-5)
        assert all(e.low <= e.value <= e.high for e in (*curve.shift, *curve.flip_rate))
        assert {e.n for e in curve.shift} == {len(audit.images())}


def test_score_noise_floor_and_clean(audit: semaudit.Audit) -> None:
    report, images = audit.report, audit.images()
    score = numbers_of(audit, "score", "all", "all")
    assert audit.score == report.score.value == pytest.approx(score.mean(), abs=1e-5)
    floor = audit.samples().query("family == 'identity'")["shift"]
    assert report.noise_floor.value == pytest.approx(floor.mean(), abs=1e-12)
    assert report.noise_floor.value < 1e-12
    correct = (images["clean_class"] == images["label"]).mean()
    assert report.clean.accuracy.value == pytest.approx(correct)
    assert report.clean.confidence.value == pytest.approx(images["confidence"].mean(), rel=1e-6)
    assert report.clean.entropy.value == pytest.approx(images["entropy"].mean(), rel=1e-6)
    assert report.clean.logit_norm.value == pytest.approx(images["logit_norm"].mean(), rel=1e-6)
    assert report.clean.distinct_classes == images["clean_class"].nunique()


def test_what_counts_as_constant_is_the_mutual_information() -> None:
    """The score is withheld below a thousandth of a bit, and given above."""
    size = (1, 6, 6)
    images = pictures(10, size, 3)
    found = []
    for scale in (1e-3, 3e-2, 1.0):
        module = Linear(size, 3, seed=2, scale=scale)
        p = module(images).softmax(1).detach().numpy()
        bits = scipy_entropy(p.mean(0), base=2) - scipy_entropy(p, base=2, axis=1).mean()
        audit = semaudit.scan(module, images, select=["gamma"], input_size=size, **ON_CPU)
        assert (audit.report.degenerate is not None) == (bits < CONSTANT_BITS)
        assert (audit.score is None) == (bits < CONSTANT_BITS)
        found.append(bits < CONSTANT_BITS)
    assert set(found) == {True, False}


def test_worst_cases_are_no_noise_floor() -> None:
    """A flip that was searched for says nothing of a second look at the same picture."""
    audit = semaudit.scan(
        Linear((3, 8, 8), 3, seed=1, scale=0.5),
        pictures(4, (3, 8, 8), 1),
        select=["gamma", "worst_linf"],
        input_size=(3, 8, 8),
        **ON_CPU,
    )
    flips = audit.samples().query("family == 'adversarial'")["flip"]
    assert flips.sum() > 0
    assert not [warning for warning in audit.report.warnings if "in another batch" in warning]
