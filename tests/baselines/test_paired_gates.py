"""Limits held against a baseline. Oracles: float64 arithmetic on the tables, simulated truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made import DOUBT, LAYOUT, made, measures

from semaudit import gates
from semaudit.baselines import pair
from semaudit.comparing.opening import Opened, opened
from semaudit.errors import AuditError, GateError
from semaudit.gates.shipped import recorded_metrics
from semaudit.layout import Array, Layout
from semaudit.report.document import Outcome, Verdict
from semaudit.statistics import Bounds, paired_evidence

UNIT: Bounds = (0.0, 1.0)


def judge(now: Path | Opened, baseline: Path, *limits: str) -> list[Verdict]:
    found = opened(now) if isinstance(now, Path) else now
    read = [gates.parse(text) for text in limits]
    metrics = recorded_metrics(found.report, [each.metric for each in read], found.samples.folder)
    report = found.report
    bound = gates.bind(read, metrics, found.samples.layout, report.data.labelled, "softmax")
    pairing = pair(found, opened(baseline), read)
    return gates.judge_report(bound, found.samples, report, pairing)


def frame(audit: Path, table: str) -> pd.DataFrame:
    return pd.read_parquet(audit / f"{table}.parquet")


def by_hand(audit: Path, column: str, table: str = "samples") -> pd.Series:
    """One number a picture: the mean of families of means of probes of means of rungs."""
    rows = frame(audit, table).astype({"image": str, "probe": str, "family": str})
    rows = rows[~rows.family.isin(["identity", "adversarial"])]
    probes = rows.groupby(["image", "family", "probe"])[column].mean()
    return probes.groupby(["image", "family"]).mean().groupby("image").mean().astype(np.float64)


# Numbers.


@pytest.mark.parametrize(
    ("metric", "column", "table", "bounds"),
    [
        ("flip_rate", "flip", "samples", UNIT),
        ("shift", "shift", "samples", UNIT),
        ("gradient_turn", "gradient_turn", "samples", (0.0, 2.0)),
        ("jump", "jump", "paths", UNIT),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 1.1, 0.5])
def test_the_difference_is_that_of_the_pictures(
    metric: str,
    column: str,
    table: str,
    bounds: Bounds,
    factor: float,
    now: Path,
    then: Path,
) -> None:
    one, other = by_hand(now, column, table), by_hand(then, column, table)
    (verdict,) = judge(now, then, f"{metric}<=baseline*{factor}")
    assert verdict.against is not None
    assert verdict.against.now == pytest.approx(one.mean(), rel=1e-4)
    assert verdict.against.baseline == pytest.approx(other.mean(), rel=1e-4)
    assert (verdict.against.factor, verdict.n) == (factor, 400)
    assert verdict.value == pytest.approx((one - factor * other).mean(), abs=1e-5)
    expected = paired_evidence(other, one, bounds, factor=factor).difference.interval()
    assert (verdict.low, verdict.high) == pytest.approx(expected, abs=1e-4)


def test_new_flips_are_counted_where_the_baseline_has_none(now: Path, then: Path) -> None:
    one, other = frame(now, "samples"), frame(then, "samples")
    one["new"] = ((one.flip == 1) & (other.flip == 0)).astype(float)
    rows = one[one.family == "noise"]
    new = rows.groupby(["image", "probe"], observed=True).new.mean()
    by_picture = new.groupby("image", observed=True).mean()
    verdict, p95 = judge(now, then, "new_flips[noise]<=0.1", "new_flips.p95[noise]<=0.1")
    assert verdict.value == pytest.approx(by_picture.mean(), rel=1e-6)
    assert p95.value == pytest.approx(np.quantile(by_picture, 0.95), rel=1e-6)
    assert verdict.against is None
    (third,) = judge(now, then, "new_flips[grain@3]<=0.5")
    rung = one[(one.probe == "grain") & (one.rung == 3)]
    assert third.value == pytest.approx(rung.new.mean(), rel=1e-6)


def test_negative_flips_are_of_the_clean_answers(now: Path, then: Path) -> None:
    one, other = frame(now, "images"), frame(then, "images")
    negative = (other.clean_class == other.label) & (one.clean_class != one.label)
    (verdict,) = judge(now, then, "negative_flips<=0.5")
    assert negative.sum() > 10
    assert verdict.value == pytest.approx(negative.mean())
    assert (verdict.outcome, verdict.n) == (Outcome.PASS, 400)
    (accuracy,) = judge(now, then, "accuracy>=baseline-0.5")
    # In float64: how pandas adds up float32 depends on what has been imported.
    means = [each.correct.astype(float).mean() for each in (one, other)]
    assert accuracy.value == pytest.approx(means[0] - means[1])


def shuffled(audit: Path, to: Path) -> Path:
    """The same audit with its pictures and its probes in another order."""
    layout = Layout(tuple(LAYOUT.tracks[t] for t in (0, 3, 4, 1, 2)))
    tracks = {track.name: t for t, track in enumerate(layout.tracks)}
    n = len(frame(audit, "images"))
    order = np.random.default_rng(3).permutation(n)
    made(to, n, layout=layout)
    place = dict(zip(frame(audit, "images").image[order], range(n), strict=True))
    for table, keys in (("images", []), ("paths", ["probe"]), ("samples", ["probe", "rung"])):
        rows = frame(audit, table).astype({"image": str} | {k: str for k in keys if k == "probe"})
        by = rows.assign(
            _picture=rows.image.map(place), _track=rows.probe.map(tracks) if keys else 0
        ).sort_values(["_picture", "_track", *keys[1:]])
        schema = pq.read_schema(to / f"{table}.parquet")
        rows = by[list(schema.names)].reset_index(drop=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), to / f"{table}.parquet")
    return to


def test_the_order_of_pictures_and_probes_means_nothing(
    now: Path, then: Path, tmp_path: Path
) -> None:
    limits = ["flip_rate[noise]<=baseline", "shift[lamp@2]<=baseline*1.1", "new_flips<=0.1"]
    other = shuffled(then, tmp_path / "shuffled")
    for one, same in zip(judge(now, then, *limits), judge(now, other, *limits), strict=True):
        assert one.value == pytest.approx(same.value)
        assert (one.low, one.high) == pytest.approx((same.low, same.high))
        assert one.outcome is same.outcome


def test_pictures_without_a_value_in_either_count_in_neither(now: Path, tmp_path: Path) -> None:
    found = measures(400, LAYOUT, 1, 0.2)
    found.rungs["gradient_turn"][:150] = np.nan
    other = made(tmp_path / "audit", 400, measured=found)
    (verdict,) = judge(now, other, "gradient_turn<=baseline")
    assert verdict.n == 250
    turned = by_hand(now, "gradient_turn").iloc[150:]
    assert verdict.against is not None
    assert verdict.against.now == pytest.approx(turned.mean(), rel=1e-4)
    found.rungs["gradient_turn"][:] = np.nan
    none = made(tmp_path / "none", 400, measured=found)
    (verdict,) = judge(now, none, "gradient_turn<=baseline")
    assert (verdict.outcome, verdict.value) == (Outcome.INCONCLUSIVE, None)
    assert "now and in the baseline" in verdict.reason


# Verdicts.


def says(verdict: Verdict, limit: float, *, at_most: bool) -> Outcome:
    low = -math.inf if verdict.low is None else verdict.low
    high = math.inf if verdict.high is None else verdict.high
    if low <= limit <= high:
        return Outcome.INCONCLUSIVE
    return Outcome.PASS if (high < limit) == at_most else Outcome.FAIL


@pytest.mark.parametrize("metric", ["flip_rate", "score", "logit_distance"])
@pytest.mark.parametrize("factor", [1.0, 1.2])
def test_the_verdict_is_what_the_interval_says(
    metric: str, factor: float, now: Path, then: Path
) -> None:
    scale = 100 if metric == "score" else 1
    found = opened(now)
    seen = set()
    for sign, at_most in (("<=", True), (">=", False)):
        for margin in np.linspace(-0.3, 0.3, 13).tolist():
            limit = scale * margin
            (verdict,) = judge(found, then, f"{metric}{sign}baseline*{factor}{limit:+}")
            assert verdict.outcome is says(verdict, limit, at_most=at_most)
            assert verdict.level == gates.ALPHA
            seen.add(verdict.outcome)
    assert factor != 1 or seen == set(Outcome)


def test_plain_limits_and_paired_ones_share_one_error_rate(now: Path, then: Path) -> None:
    verdicts = judge(
        now, then, "shift<=0.9", "flip_rate<=baseline+0.5", "new_flips<=0.9", "shift<=baseline"
    )
    levels = sorted(verdict.level for verdict in verdicts)
    assert levels == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 2, 0.05])


@pytest.mark.parametrize("sign", ["<=", ">="])
@pytest.mark.parametrize("factor", ["", "*1.0"])
def test_a_limit_without_a_margin_names_one_that_the_pictures_can_show(
    sign: str, factor: str, then: Path
) -> None:
    (verdict,) = judge(then, then, f"flip_rate[noise] {sign} baseline{factor}")
    assert (verdict.outcome, verdict.value) == (Outcome.INCONCLUSIVE, 0)
    assert "lies exactly on the limit" in verdict.reason
    weaker = verdict.reason.rsplit("can show ")[-1].split(" at ")[0]
    assert weaker.startswith(f"flip_rate[noise]{sign}baseline{'+' if sign == '<=' else '-'}0.0")
    assert judge(then, then, weaker)[0].outcome is Outcome.PASS


def test_two_pictures_can_show_no_margin(tmp_path: Path) -> None:
    one = made(tmp_path / "one", 1)
    (verdict,) = judge(one, one, "logit_distance<=baseline")
    assert verdict.reason.endswith("allow a margin, and take more pictures")


@pytest.mark.parametrize("side", ["now", "then"])
def test_untrusted_gradients_of_either_let_no_gate_on_them_pass(side: str, tmp_path: Path) -> None:
    doubts = {name: {"doubts": [DOUBT]} if name == side else {} for name in ("now", "then")}
    one = made(tmp_path / "one", 200, **doubts["now"])
    other = made(tmp_path / "other", 200, **doubts["then"])
    searched, drawn, plain = judge(
        *(one, other, "flip_rate[worst_linf]<=baseline+0.5", "flip_rate<=baseline+0.5"),
        "shift[worst_linf]<=0.9",
    )
    assert (searched.outcome, drawn.outcome) == (Outcome.INCONCLUSIVE, Outcome.PASS)
    assert "not to be trusted: vanishing_gradients" in searched.reason
    assert ("in the baseline" in searched.reason) == (side == "then")
    # What speaks of this audit alone is not touched by doubts about the baseline.
    assert (plain.outcome is Outcome.PASS) == (side == "then")


def test_a_degenerate_model_is_not_judged_against_anything(then: Path, tmp_path: Path) -> None:
    dull = made(tmp_path / "dull", 400, degenerate="all answers are alike")
    shift, accuracy = judge(dull, then, "shift<=baseline+0.9", "accuracy>=baseline-0.9")
    assert shift.reason == "cannot be judged: all answers are alike"
    assert shift.outcome is Outcome.INCONCLUSIVE
    assert accuracy.outcome is Outcome.PASS


# Labels.


def test_labels_of_one_audit_serve_both(now: Path, then: Path, tmp_path: Path) -> None:
    bare = made(tmp_path / "bare", 400, seed=1, labelled=False)
    limits = ["accuracy>=baseline-0.1", "negative_flips<=0.2"]
    assert judge(now, bare, *limits) == judge(now, then, *limits)
    with pytest.raises(GateError, match="the pictures have no labels"):
        judge(bare, then, "negative_flips<=0.2")


# What cannot be paired.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 3}, "seed: 0 and 3"),
        ({"data": {"fingerprint": "0" * 64}}, "contents of the pictures"),
        ({"model": {"num_classes": 7}}, "classes: 1000 and 7"),
    ],
)
def test_what_differs_is_an_error(
    changes: dict[str, object], said: str, now: Path, tmp_path: Path
) -> None:
    other = made(tmp_path / "other", 400)
    report = opened(other).report
    updated = {
        name: getattr(report, name).model_copy(update=each) if isinstance(each, dict) else each
        for name, each in changes.items()
    }
    (other / "report.json").write_text(report.model_copy(update=updated).model_dump_json(), "utf-8")
    with pytest.raises(AuditError) as error:
        judge(now, other, "flip_rate<=baseline+0.5")
    assert f"{now} and {other} cannot be compared, for these differ:\n  {said}" in str(error.value)


def test_other_pictures_and_probes_are_an_error(now: Path, tmp_path: Path) -> None:
    fewer = made(tmp_path / "fewer", 399)
    with pytest.raises(AuditError, match=r"pictures: 400 and 399, of which 1 \('00399.png'\)"):
        judge(now, fewer, "new_flips<=0.5")
    short = made(tmp_path / "short", 400, layout=Layout(LAYOUT.tracks[:-1]))
    with pytest.raises(AuditError, match=r"probes: 4 and 3, of which 1 \('worst_linf'\) only in"):
        judge(now, short, "new_flips<=0.5")


def manifested(audit: Path, before: str, after: str) -> Path:
    text = (audit / "manifest.json").read_text("utf-8")
    assert before in text
    (audit / "manifest.json").write_text(text.replace(before, after), "utf-8")
    return audit


def test_estimates_on_gradients_are_of_as_many_draws(now: Path, tmp_path: Path) -> None:
    other = manifested(made(tmp_path / "other", 400), '{"samples": 4}', '{"samples": 2}')
    with pytest.raises(AuditError, match="gradient samples: 4 and 2"):
        judge(now, other, "curvature_random<=baseline*1.5")
    # Along ladders, no draw is in them.
    assert judge(now, other, "gradient_turn<=baseline+0.5")[0].value is not None


def test_metrics_of_plugins_are_of_the_same_file(now: Path, tmp_path: Path) -> None:
    plugin = '"plugins": [{"sha256": "HASH", "perturbations": [], "metrics": ["shift"]}]'
    for name, digest in (("other", "a" * 64), ("third", "b" * 64)):
        audit = made(tmp_path / name, 400)
        manifested(audit, '"plugins": []', plugin.replace("HASH", digest))
    with pytest.raises(
        AuditError, match="plugin file of the metric shift: none and aaaaaaaaaaaaaaaa"
    ):
        judge(now, tmp_path / "other", "shift<=baseline+0.9")
    with pytest.raises(
        AuditError, match="plugin file of the metric shift: aaaaaaaaaaaaaaaa and bbb"
    ):
        judge(tmp_path / "other", tmp_path / "third", "shift<=baseline+0.9")


def test_transport_is_on_the_same_tree(tmp_path: Path) -> None:
    from semaudit.metrics import METRICS
    from semaudit.report.document import Measured

    audits = []
    for name, tree in (("one", '{"tree": "head", "leaves": 9}'), ("other", "null")):
        audit = made(tmp_path / name, 50)
        manifested(audit, '"plugins": []', f'"plugins": [], "taxonomy": {tree}')
        report = opened(audit).report
        metrics = [*report.metrics, Measured.of(METRICS["transport"])]
        text = report.model_copy(update={"metrics": metrics}).model_dump_json()
        (audit / "report.json").write_text(text, "utf-8")
        audits.append(audit)
    with pytest.raises(AuditError, match="tree of classes: tree head, leaves 9 and none"):
        judge(*audits, "transport<=baseline+0.5")
    assert judge(*audits, "shift<=baseline+0.9")[0].value is not None


# --- coverage ---------------------------------------------------------------------------------

IMAGES, CELLS, TRIALS = 60, 12, 400


def two_models(
    kind: str, rng: np.random.Generator, images: int, ratio: float
) -> tuple[Array, Array]:
    """(images,) means over cells of two models, the second's ``ratio`` times the first's."""
    effect, cells = rng.beta(0.6, 3.0, (images, 1)), (images, CELLS)
    if kind == "flips":
        both = [rng.random(cells) < effect * share for share in (0.6, 0.6 * ratio)]
    elif kind == "shift":
        both = [effect * rng.beta(1, 3, cells), effect * ratio * rng.beta(1, 3, cells)]
    else:
        size = np.exp(0.6 * rng.standard_normal((images, 1)))
        both = [size * rng.gamma(4.0, scale, cells) for scale in (0.25, 0.25 * ratio)]
    before, after = (each.mean(axis=1, dtype=np.float64) for each in both)
    return before, after


@pytest.mark.parametrize("kind", ["flips", "shift", "unbounded"])
@pytest.mark.parametrize("factor", [1.1, 0.8])
def test_a_ratio_on_its_limit_is_decided_in_one_of_twenty_at_most(kind: str, factor: float) -> None:
    """The truth lies on the limit: the interval of the differences holds 0 as often as it says."""
    rng = np.random.default_rng(7)
    bounds = (0.0, math.inf) if kind == "unbounded" else UNIT
    passed = failed = 0
    for _ in range(TRIALS):
        before, after = two_models(kind, rng, IMAGES, factor)
        pair_ = paired_evidence(before, after, bounds, factor=factor, resamples=999)
        low, high = pair_.difference.interval()
        passed, failed = passed + (high < 0), failed + (low > 0)
    print(kind, factor, passed / TRIALS, failed / TRIALS)
    # 2.5 % on each side, and what 400 trials are unsure of.
    assert passed / TRIALS <= 0.045
    assert failed / TRIALS <= 0.045


def test_a_ratio_that_is_kept_passes_with_enough_pictures() -> None:
    rng = np.random.default_rng(8)
    before, after = two_models("flips", rng, 4000, 0.7)
    low, high = paired_evidence(before, after, UNIT, factor=1.1).difference.interval()
    assert high < 0
    assert low < after.mean() - 1.1 * before.mean() < high


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_a_factor_is_before_taken_so_many_times(factor: float) -> None:
    rng = np.random.default_rng(9)
    before, after = rng.beta(0.5, 3, 50), rng.beta(0.5, 3, 50)
    found = paired_evidence(before, after, UNIT, factor=factor)
    difference = after - factor * before
    assert found.difference.value == pytest.approx(difference.mean())
    assert (found.lower, found.higher) == ((difference < 0).sum(), (difference > 0).sum())
    assert (found.before, found.after) == pytest.approx((before.mean(), after.mean()))
    low, high = found.difference.interval()
    weights = np.random.default_rng(1).dirichlet(np.ones(51), 200_000)
    assert np.mean(weights @ [*difference, 1.0] > high) == pytest.approx(0.025, abs=0.003)
    assert np.mean(weights @ [*difference, -factor] < low) == pytest.approx(0.025, abs=0.003)
