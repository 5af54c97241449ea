"""Every number of a comparison, by hand with pandas and scipy from the tables of two audits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from known_models import ON_CPU
from pairs import SIZE, copied, images_and_labels, module, replaced, scanned
from scipy import stats

import semaudit
from semaudit.comparing import Change, Comparison
from semaudit.errors import AuditError
from semaudit.report.file import read_report
from semaudit.statistics import mean_evidence

ASIDE = ("identity", "adversarial")


def cells(audit: Path) -> pd.DataFrame:
    """One row a picture, probe and rung, in float64, with the label and whether it is right."""
    frame = pd.read_parquet(audit / "samples.parquet")
    frame = frame.astype({"image": str, "probe": str, "family": str})
    label = pd.read_parquet(audit / "images.parquet").set_index("image")["label"]
    frame["label"] = frame["image"].map(label).astype("float64")
    frame["right"] = (frame["class"] == frame["label"]).astype("float64")
    return frame.astype({"shift": "float64", "flip": "float64"})


def folded(frame: pd.DataFrame, column: str, families: list[str]) -> pd.Series:
    """A number a picture: of rungs, then of probes, then of families."""
    chosen = frame[frame["family"].isin(families)]
    probes = chosen.groupby(["image", "family", "probe"])[column].mean()
    return probes.groupby(["image", "family"]).mean().groupby("image").mean()


def families_of(frame: pd.DataFrame, place: str, name: str, seen: list[str]) -> list[str]:
    counted = sorted(set(frame["family"]) - set(ASIDE))
    return {
        "all": counted,
        "seen": [each for each in counted if each in seen],
        "held-out": [each for each in counted if each not in seen],
        "family": [name],
    }[place]


COLUMNS = {"shift": "shift", "flip_rate": "flip", "accuracy": "right"}


def test_there_is_a_row_for_every_place(found: Comparison) -> None:
    families = ["adversarial", "blur", "codec", "geometric", "noise", "occlusion", "photometric"]
    places = {(each.place, each.name) for each in found.changes if each.metric == "shift"}
    named = {(each, each) for each in ("all", "seen", "held-out")}
    assert {name for _, name in places - named} >= set(families)
    for metric in ("flip_rate", "accuracy"):
        there = {(each.place, each.name) for each in found.changes if each.metric == metric}
        assert there - {("clean", "clean")} == places
    assert {(each.place, each.name) for each in found.churn} == places | {("clean", "clean")}


def test_the_changes_along_ladders(found: Comparison, before: Path, after: Path) -> None:
    one, other = cells(before), cells(after)
    checked = 0
    for each in found.changes:
        if each.metric not in COLUMNS or each.place == "clean":
            continue
        families = families_of(one, each.place, each.name, found.seen)
        first, second = (folded(f, COLUMNS[each.metric], families) for f in (one, other))
        agrees(each, first, second.loc[first.index])
        checked += 1
    assert checked > 25


def agrees(each: Change, first: pd.Series, second: pd.Series) -> None:
    difference = (second - first).to_numpy(copy=True)
    difference[np.abs(difference) < 1e-12] = 0
    assert each.before == pytest.approx(first.mean(), abs=1e-9)
    assert each.after == pytest.approx(second.mean(), abs=1e-9)
    assert each.difference.value == pytest.approx(difference.mean(), abs=1e-9)
    assert each.difference.n == len(first)
    assert (each.lower, each.higher) == ((difference < 0).sum(), (difference > 0).sum())
    if each.relative is not None:
        assert each.relative == pytest.approx(second.mean() / first.mean() - 1, abs=1e-6)
    changed = each.lower + each.higher
    expected = stats.binomtest(each.lower, changed).pvalue if changed else 1.0
    assert each.p_value == pytest.approx(expected)
    interval = mean_evidence(difference, (-1, 1)).interval()
    assert (each.difference.low, each.difference.high) == pytest.approx(interval, abs=1e-7)


def test_the_accuracy_of_clean_pictures_is_mcnemars(
    found: Comparison, before: Path, after: Path
) -> None:
    one, other = (pd.read_parquet(each / "images.parquet") for each in (before, after))
    first, second = (frame["correct"].astype("float64") for frame in (one, other))
    each = found.change("accuracy", "clean")
    assert each is not None
    agrees(each, first, second)
    table = pd.crosstab(first, second)
    negative, positive = table.loc[1, 0], table.loc[0, 1]
    assert (each.lower, each.higher) == (negative, positive)
    assert negative > 0
    answers = found.answers()
    assert answers is not None
    assert answers.churn.value == pytest.approx((one.clean_class != other.clean_class).mean())
    for share, count in (
        (answers.negative_flips, negative),
        (answers.positive_flips, positive),
    ):
        assert share is not None
        assert share.value == pytest.approx(count / len(first))
        exact = stats.binomtest(int(count), len(first)).proportion_ci(0.95, "exact")
        assert (share.low, share.high) == pytest.approx((exact.low, exact.high))


def test_the_answers_to_changed_pictures(found: Comparison, before: Path, after: Path) -> None:
    one, other = cells(before), cells(after)
    one["differ"] = (one["class"] != other["class"]).astype("float64")
    one["negative"] = one["right"] * (1 - other["right"])
    one["positive"] = (1 - one["right"]) * other["right"]
    for each in found.churn:
        if each.place == "clean":
            continue
        families = families_of(one, each.place, each.name, found.seen)
        for column, share in (
            ("differ", each.churn),
            ("negative", each.negative_flips),
            ("positive", each.positive_flips),
        ):
            numbers = folded(one, column, families)
            assert share is not None
            assert share.value == pytest.approx(numbers.mean(), abs=1e-9)
            interval = mean_evidence(numbers, (0, 1)).interval()
            assert (share.low, share.high) == pytest.approx(interval, abs=1e-7)
        accuracy = found.change("accuracy", each.place, each.name)
        assert accuracy is not None
        assert each.positive_flips is not None
        assert each.negative_flips is not None
        gained = each.positive_flips.value - each.negative_flips.value
        assert accuracy.difference.value == pytest.approx(gained, abs=1e-9)


def test_clean_numbers_and_the_score(found: Comparison, before: Path, after: Path) -> None:
    one, other = (pd.read_parquet(each / "images.parquet") for each in (before, after))
    for metric in ("confidence", "entropy", "logit_norm"):
        each = found.change(metric, "clean")
        assert each is not None
        assert each.before == pytest.approx(one[metric].mean(), rel=1e-6)
        assert each.after == pytest.approx(other[metric].mean(), rel=1e-6)
        assert each.higher_is_better is None
    score = found.change("score")
    assert score is not None
    for value, audit in ((score.before, before), (score.after, after)):
        report = read_report(audit / "report.json")
        assert report.score is not None
        assert value == pytest.approx(report.score.value)


def test_before_and_after_are_what_the_reports_say(
    found: Comparison, before: Path, after: Path
) -> None:
    for value, audit in (("before", before), ("after", after)):
        report = read_report(audit / "report.json")
        for each in found.changes:
            if each.place in ("all", "family") and each.metric in ("shift", "flip_rate"):
                estimate = report.estimate(each.metric, each.place, each.name)
                assert estimate is not None
                assert getattr(each, value) == pytest.approx(estimate.value)
        for ladder, curve in zip(found.ladders, report.curves, strict=True):
            assert (ladder.probe, ladder.strengths) == (curve.probe, curve.strengths)
            assert [getattr(point, value) for point in ladder.shift] == curve.shift
            assert ladder.flip_rate is not None
            assert [getattr(point, value) for point in ladder.flip_rate] == curve.flip_rate


def test_the_points_of_a_ladder_are_paired(found: Comparison, before: Path, after: Path) -> None:
    one, other = cells(before), cells(after)
    for ladder in found.ladders:
        for rung, point in enumerate(ladder.shift, 1):
            difference = [
                frame[(frame["probe"] == ladder.probe) & (frame["rung"] == rung)][
                    "shift"
                ].to_numpy()
                for frame in (one, other)
            ]
            expected = (difference[1] - difference[0]).mean()
            assert point.difference.value == pytest.approx(expected, abs=1e-9)


def test_the_other_way_round_every_difference_is_negated(
    found: Comparison, before: Path, after: Path
) -> None:
    back = semaudit.compare(after, before, seen=found.seen)
    for one, other in zip(found.changes, back.changes, strict=True):
        assert (one.metric, one.place, one.name) == (other.metric, other.place, other.name)
        assert one.difference.value == pytest.approx(-other.difference.value, abs=1e-9)
        assert (one.lower, one.higher, one.p_value) == (other.higher, other.lower, other.p_value)
    for first, second in zip(found.churn, back.churn, strict=True):
        assert first.churn == second.churn
        assert (first.negative_flips, first.positive_flips) == (
            second.positive_flips,
            second.negative_flips,
        )


def test_an_audit_and_itself(before: Path) -> None:
    same = semaudit.compare(before, before)
    assert same.identical
    for each in same.changes:
        assert (each.difference.value, each.lower, each.higher, each.p_value) == (0, 0, 0, 1)
        assert each.before == each.after
    for share in (s for each in same.churn for s in (each.churn, each.negative_flips)):
        assert share is not None
        assert share.value == 0
    assert not same.warnings
    assert same.notes == ["both audits are of the same weights"]


def test_neither_the_order_of_pictures_nor_of_probes_matters(before: Path, tmp_path: Path) -> None:
    """The same audit with its pictures in reverse, and its probes too."""
    import json

    copy = copied(before, tmp_path / "reversed")
    report = json.loads((copy / "report.json").read_text())
    names = [probe["name"] for probe in report["battery"]]
    images = pq.read_table(copy / "images.parquet")["image"].to_pylist()
    for table in ("images.parquet", "paths.parquet", "samples.parquet"):
        frame = pq.read_table(copy / table)
        rows = pd.DataFrame({"image": frame["image"].to_pylist()})
        keys = [-rows["image"].map(images.index)]
        if table != "images.parquet":
            keys.append(-pd.Series(frame["probe"].to_pylist()).map(names.index))
        order = np.lexsort(keys[::-1])  # stable: rungs stay as they are
        pq.write_table(frame.take(pa.array(order)), copy / table)
    report["battery"].reverse()
    (copy / "report.json").write_text(json.dumps(report))
    assert semaudit.compare(before, copy).identical
    assert semaudit.compare(copy, before).identical


def test_what_only_one_model_has_a_value_of_counts_for_neither(
    before: Path, after: Path, tmp_path: Path
) -> None:
    copy = copied(after, tmp_path / "gaps")
    table = pq.read_table(copy / "samples.parquet")
    turn = table["gradient_turn"].to_pandas().to_numpy().copy()
    measured = np.flatnonzero(np.isfinite(turn))
    turn[measured[::3]] = np.nan
    pq.write_table(
        table.set_column(
            table.column_names.index("gradient_turn"), "gradient_turn", pa.array(turn)
        ),
        copy / "samples.parquet",
    )
    one, other = cells(before), cells(copy)
    gap = one["gradient_turn"].isna() | other["gradient_turn"].isna()
    for frame in (one, other):
        frame["gradient_turn"] = frame["gradient_turn"].astype("float64").mask(gap)
    compared = semaudit.compare(before, copy)
    each = compared.change("gradient_turn", "family", "noise")
    assert each is not None
    (said,) = (note for note in compared.notes if note.startswith("gradient_turn: "))
    lost = len(measured[::3])
    assert f"before has none in 0, after in {lost:,} (a gradient that is 0" in said
    assert said.startswith(f"gradient_turn: {lost:,} of {len(measured):,} values")
    first, second = (folded(frame, "gradient_turn", ["noise"]) for frame in (one, other))
    assert each.before == pytest.approx(first.mean())
    assert each.after == pytest.approx(second.mean())
    assert each.difference.n == first.notna().sum()


def test_audits_in_memory(before: Path, found: Comparison) -> None:
    settings = {"input_size": SIZE, "mean": (0, 0, 0), "std": (1, 1, 1), "seed": 11, **ON_CPU}
    data = images_and_labels()
    audit = semaudit.scan(module(0.06), data, select=("quick", "worst_linf"), **settings)
    again = semaudit.compare(before, audit, seen=found.seen)
    assert again.changes == found.changes
    assert again.after.audit == "the audit of Linear"


def test_pictures_without_labels(before: Path, tmp_path: Path) -> None:
    images, _ = images_and_labels()
    bare = [scanned(noise, tmp_path / f"{noise}", images) for noise in (0.0, 0.06)]
    both = semaudit.compare(*bare)
    assert not both.labelled
    assert both.change("accuracy", "clean") is None
    answers = both.answers()
    assert answers is not None
    assert answers.churn.value > 0
    assert answers.negative_flips is None
    one = semaudit.compare(bare[0], before)
    assert one.labelled
    assert any("has no labels: those of" in note for note in one.notes)
    accuracy = one.change("accuracy", "clean")
    assert accuracy is not None
    assert accuracy.before == accuracy.after


def test_embeddings_name_no_class(tmp_path: Path) -> None:
    images, _ = images_and_labels()
    settings = {"activation": "none", "select": "brightness"}
    audits = [scanned(noise, tmp_path / f"{noise}", images, **settings) for noise in (0.0, 0.06)]
    found = semaudit.compare(*audits)
    assert {each.metric for each in found.changes} == {"shift", "logit_norm", "score"}
    assert found.churn == []
    assert all(ladder.flip_rate is None for ladder in found.ladders)


def test_what_one_audit_did_not_measure(before: Path, tmp_path: Path) -> None:
    other = scanned(0.0, tmp_path / "audit", gradients=False)
    found = semaudit.compare(before, other)
    assert found.change("gradient_turn") is None
    assert f"gradient_turn is not compared: {other} has none" in found.notes
    shift = found.change("shift")
    assert shift is not None
    assert (shift.lower, shift.higher) == (0, 0)


def test_labels_that_each_hold_or_not(tmp_path: Path) -> None:
    audits = [scanned(n, tmp_path / f"{n}", activation="sigmoid") for n in (0.0, 0.06)]
    found = semaudit.compare(*audits)
    assert any("is its first label" in note for note in found.notes)
    one, other = (pd.read_parquet(each / "images.parquet") for each in audits)
    answers = found.answers()
    assert answers is not None
    assert answers.churn.value == pytest.approx((one.clean_class != other.clean_class).mean())


def test_through_other_preprocessing(before: Path, tmp_path: Path) -> None:
    found = semaudit.compare(before, scanned(0.0, tmp_path / "audit", std=(2.0, 2.0, 2.0)))
    (note,) = (each for each in found.notes if "different preprocessing" in each)
    assert found.before.preprocessing in note
    assert found.after.preprocessing in note


def test_the_noise_floor_alone(tmp_path: Path) -> None:
    audits = [scanned(n, tmp_path / f"{n}", select="identity") for n in (0.0, 0.06)]
    found = semaudit.compare(*audits)
    assert {each.place for each in found.changes} == {"clean"}


def test_a_constant_model_is_named(before: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(before, tmp_path / "constant")
    images, labels = images_and_labels()
    constant = module()
    constant.head.weight.data *= 1e-9
    constant.head.bias.data = torch.arange(6, dtype=torch.float64)
    settings = {"input_size": SIZE, "mean": (0, 0, 0), "std": (1, 1, 1), "seed": 11, **ON_CPU}
    select = ("quick", "worst_linf")
    semaudit.scan(constant, (images, labels), select=select, out=tmp_path / "c", **settings)
    found = semaudit.compare(copy, tmp_path / "c")
    assert any(w.startswith("after: degenerate model: ") for w in found.warnings)
    assert found.change("score") is None
    assert found.after.degenerate is not None


def test_labels_of_some_pictures(before: Path, tmp_path: Path) -> None:
    copy = copied(before, tmp_path / "copy")
    table = pq.read_table(copy / "images.parquet")
    labels = table["label"].to_pylist()
    for name in ("label", "correct"):
        values = [None if k % 3 else v for k, v in enumerate(table[name].to_pylist())]
        table = replaced(table, name, values)
    pq.write_table(table, copy / "images.parquet")
    compared = semaudit.compare(copy, copy)
    each = compared.change("accuracy", "clean")
    assert each is not None
    known = len(range(0, len(labels), 3))
    assert each.difference.n == known
    without = f"accuracy: {len(labels) - known} of {len(labels)} pictures have no label"
    assert without in compared.notes


@pytest.mark.parametrize("wrong", [None, -1, 10_000, 0.5])
@pytest.mark.parametrize(("table", "column"), [("images", "clean_class"), ("samples", "class")])
def test_an_answer_that_lacks_is_no_wrong_answer(
    table: str, column: str, wrong: float | None, before: Path, tmp_path: Path
) -> None:
    copy = copied(before, tmp_path / "copy")
    path = copy / f"{table}.parquet"
    read = pq.read_table(path)
    values = [wrong, *map(float, read[column].to_pylist()[1:])]
    place = read.column_names.index(column)
    pq.write_table(read.set_column(place, column, pa.array(values, pa.float64())), path)
    with pytest.raises(AuditError, match="answers that are no class of its model"):
        semaudit.compare(before, copy)


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("samples", "shift", pa.string()),
        ("samples", "class", pa.bool_()),
        ("images", "image", pa.binary()),
    ],
)
def test_columns_of_another_kind_are_damage(
    table: str, column: str, kind: pa.DataType, before: Path, tmp_path: Path
) -> None:
    copy = copied(before, tmp_path / "copy")
    path = copy / f"{table}.parquet"
    read = pq.read_table(path)
    values = {pa.string(): "x", pa.bool_(): True, pa.binary(): b"\xff"}
    array = pa.array([values[kind]] * read.num_rows, kind)
    if column == "image":  # names that are no UTF-8, of the type of names
        array = array.view(pa.string())
    place = read.column_names.index(column)
    pq.write_table(read.set_column(place, column, array), path)
    with pytest.raises(AuditError, match="missing or damaged"):
        semaudit.compare(before, copy)
