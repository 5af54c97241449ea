"""metrics.json and CSV: what programs read; and which probes break a limit."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hostile import renamed
from hostile_words import PAIRED, SAMPLE, WORDS

from semaudit.report.breaking import broken_by, broken_lines
from semaudit.report.csv import HEADER, to_csv
from semaudit.report.document import Outcome, Verdict
from semaudit.report.file import read_report
from semaudit.report.flat import to_flat

REPORT, HELD = (read_report(folder / "report.json") for folder in (SAMPLE, PAIRED))


def test_metrics_are_flat_finite_numbers_under_the_names_of_limits() -> None:
    figures = json.loads(to_flat(REPORT))
    assert all(isinstance(each, (int, float)) and math.isfinite(each) for each in figures.values())
    assert REPORT.score is not None
    assert figures["score"] == REPORT.score.value
    shift = REPORT.estimate("shift", "family", "noise")
    assert shift is not None
    assert figures["shift[noise]"] == shift.value
    assert [figures[f"gates_{each.value}"] for each in Outcome] == [1, 1, 2]


def test_what_was_not_measured_is_not_among_them() -> None:
    figures = json.loads(to_flat(REPORT.model_copy(update={"degenerate": "x", "score": None})))
    assert "score" not in figures


@pytest.mark.parametrize("words", WORDS, ids=[ascii(each)[:24] for each in WORDS])
def test_hostile_families_are_keys(words: str) -> None:
    report = renamed(REPORT, words)
    estimates = [each.model_copy(update={"name": words}) for each in report.estimates]
    written = to_flat(report.model_copy(update={"estimates": estimates}))
    assert written.isascii()
    assert isinstance(json.loads(written), dict)


def test_the_audit_s_folder_holds_them() -> None:
    assert (SAMPLE / "metrics.json").read_text("utf-8") == to_flat(REPORT)

    assert (PAIRED / "metrics.json").read_text("utf-8") == to_flat(HELD)


def test_differences_from_a_baseline_are_marked() -> None:
    assert HELD.baseline is not None
    figures = json.loads(to_flat(HELD))
    whole = HELD.baseline.changed[0]
    assert whole.flips is not None
    assert figures["flip_rate-baseline"] == whole.flips.rate.difference.value
    assert figures["flip_rate"] == whole.flips.rate.now
    assert figures["new_flips"] == whole.flips.new.value
    assert figures["shift[noise]-baseline"] != figures["shift[noise]"]
    assert not any("baseline" in key or "new_flips" in key for key in json.loads(to_flat(REPORT)))

    rows = list(csv.DictReader(io.StringIO(to_csv(HELD))))
    differences = [row for row in rows if row["statistic"] == "difference"]
    assert {row["scope"] for row in differences} == {"gate", "baseline"}
    for row in differences:
        both = float(row["now"]) - float(row["factor"]) * float(row["baseline"])
        assert float(row["value"]) == pytest.approx(both, abs=1e-9)
    marked = {row["name"] for row in differences if row["scope"] == "gate"}
    assert marked == {each.gate for each in HELD.verdicts if each.against is not None}
    assert all(row["baseline"] == "" for row in rows if row not in differences)
    keys = [tuple(row[k] for k in HEADER[:4]) for row in rows]
    assert len(keys) == len(set(keys))


def test_a_line_an_estimate() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(REPORT))))
    keys = [tuple(row[k] for k in HEADER[:4]) for row in rows]
    assert len(keys) == len(set(keys))
    found = dict(zip(keys, rows, strict=True))
    for each in REPORT.estimates:
        row = found[each.scope, each.name, each.metric, each.statistic]
        assert float(row["value"]) == each.value
        assert int(row["n"]) == each.n
        assert [row["low"], row["high"]] == [
            "" if end is None else repr(end) for end in (each.low, each.high)
        ]
    assert [row["outcome"] for row in rows if row["scope"] == "gate"] == [
        verdict.outcome.value for verdict in REPORT.verdicts
    ]


def test_no_score_of_a_degenerate_model() -> None:
    assert ",score," in to_csv(REPORT)
    withheld = REPORT.model_copy(update={"degenerate": "x", "score": None})
    assert ",score," not in to_csv(withheld)


# Which probes break a limit.


def failed(gate: str) -> Verdict:
    return REPORT.verdicts[1].model_copy(update={"gate": gate, "outcome": Outcome.FAIL})


def names(gate: str) -> list[str]:
    return [each.name for each in broken_by(REPORT, failed(gate))]


def test_they_are_in_the_gate_s_scope_and_beyond_its_limit_worst_first() -> None:
    every = {p.name for p in REPORT.battery} - {"identity", "worst_linf"}
    assert set(names("shift<=0")) == every
    assert names("shift<=0")[0] == "brightness"
    assert names("shift[noise]<=0") == names("shift[gauss*]<=0") == ["gaussian_noise"]
    assert names("shift[adversarial]<=0") == ["worst_linf"]
    assert names("shift<=0.99") == []
    assert names("ssim>=1")[0] == min(
        every,
        key=lambda name: REPORT.estimate("ssim", "probe", name).value,  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    "gate",
    ["accuracy>=0.99", "shift[noise@1]<=0", "shift<=baseline+0", "new_flips<=0", "not a gate"],
)
def test_gates_that_no_probe_is_named_for(gate: str) -> None:
    assert names(gate) == []


def test_a_gate_that_did_not_fail_is_broken_by_nothing() -> None:
    assert broken_by(REPORT, REPORT.verdicts[2]) == []


def test_only_the_worst_are_told() -> None:
    lines = broken_lines(REPORT, failed("score>=100"))
    assert len(lines) == 4
    assert all(": " in line for line in lines)


def test_a_probe_whose_interval_holds_the_limit_is_not_shown_to_break_it() -> None:
    worst = REPORT.estimate("shift", "probe", "brightness")
    assert worst is not None
    assert worst.low is not None
    within = (worst.low + worst.value) / 2
    assert "brightness" not in names(f"shift<={within}")
    assert "brightness" in names(f"shift<={worst.low * 0.99}")
