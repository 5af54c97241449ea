"""What the terminal says of a run, of records made up for it."""

from __future__ import annotations

from typing import Any

import pytest

from semaudit.finetuning.words import told

RECORD: dict[str, Any] = {
    "model": {"name": "net"},
    "data": {"training": 100, "validation": 40, "held_out": 60},
    "training": {"updates": 9, "passes_a_picture": 6.0, "stopped": None},
    "notes": [],
    "search": None,
    "choice": {"improved": True, "why": "tuned weights: validation shift 0.2 -> 0.1"},
    "advice": None,
}


def mean(metric: str, before: float, after: float) -> dict[str, Any]:
    change = after / before - 1
    return {
        "metric": metric, "families": "held out", "before": before, "after": after,
        "change": change,
    }  # fmt: skip


def paired(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {
        "metric": "shift", "place": "all", "difference": {"value": 0.0, "low": low, "high": high},
        "lower": 0, "higher": 0, "p_value": 1.0, "higher_is_better": False, **more,
    }  # fmt: skip


def proof(**more: Any) -> dict[str, Any]:
    return {
        "pictures": 60, "seen_families": [], "paired": [], "better": [], "worse": [],
        "means": [mean("shift", 0.2, 0.1), mean("flip", 0.1, 0.05)], **more,
    }  # fmt: skip


def said(**record: Any) -> list[tuple[str, str]]:
    return list(told({**RECORD, **record}, "net.finetune", "net.safetensors"))


@pytest.mark.parametrize(
    ("better", "worse", "words", "style"),
    [
        (
            ["shift", "flip_rate"],
            [],
            "better on the held-out pictures in shift, flip rate",
            "green",
        ),
        ([], [], "inconclusive", "yellow"),
        (["shift"], ["flip_rate"], "flip rate is WORSE on the held-out pictures", "red"),
    ],
)
def test_the_verdict(better: list[str], worse: list[str], words: str, style: str) -> None:
    lines = said(held_out=proof(better=better, worse=worse))
    ((line, how),) = [each for each in lines if each[0].startswith("Verdict: ")]
    assert (words in line, how) == (True, style)
    written = ("Written all the same: net.safetensors", "red")
    assert (written in lines) == bool(worse)


def test_where_the_original_is_kept_there_is_a_hint_and_no_verdict() -> None:
    choice = {"improved": False, "why": "no weights have surely less shift"}
    lines = said(choice=choice, advice="more pictures may show one")
    assert ("hint: more pictures may show one", "yellow") in lines
    assert not [line for line, _ in lines if line.startswith(("Verdict", "Written"))]
    assert not [line for line, _ in said(choice=choice) if line.startswith("hint")]


@pytest.mark.parametrize(
    ("change", "way", "end"),
    [
        (paired(-0.1, 0.1), None, ": no picture changed"),
        (paired(-0.1, 0.1, lower=3, higher=5), None, ": it holds 0, so this may be chance"),
        (paired(-0.1, 0.1, lower=40, higher=20, p_value=0.02), None, "so this may be chance"),
        (paired(-0.1, 0.1, lower=50), "better", "more pictures got better than by"),
        (paired(-0.1, 0.1, higher=50), "worse", "more pictures got worse than by"),
        (paired(-0.2, -0.1, lower=50), "better", "-0.2000 to -0.1000"),
    ],
)
def test_an_interval_says_what_the_verdict_does(
    change: dict[str, Any], way: str | None, end: str
) -> None:
    judged = {way: ["shift"]} if way else {}
    ((line, style),) = [
        each for each in said(held_out=proof(paired=[change], **judged)) if "paired 95 %" in each[0]
    ]
    assert end in line
    assert line.startswith("  shift, families held out: ")
    assert style == ("" if change["difference"]["high"] < 0 else "yellow")


def test_a_baseline_that_is_ahead_on_held_out_pictures_is_named() -> None:
    main = proof(means=[mean("shift", 0.2, 0.1), mean("flip", 0.1, 0.05)])
    ahead = proof(means=[mean("shift", 0.2, 0.15), mean("flip", 0.1, 0.04)])
    behind = proof(means=[mean("shift", 0.2, 0.15), mean("flip", 0.1, 0.05)])
    choice = {"why": "tuned weights"}
    spent = {"updates": 18, "passes_a_picture": 3, "wins": False, "choice": choice}
    baselines = [
        {"name": "one", **spent, "held_out": ahead},
        {"name": "two", **spent, "held_out": behind},
        {"name": "three", **spent},
    ]
    lines = [line for line, _ in said(held_out=main, baselines=baselines)]
    (one,) = (line for line in lines if line.startswith("  one: "))
    (two,) = (line for line in lines if line.startswith("  two: "))
    assert one.endswith("; AHEAD of the continuity term in flip rate")
    assert "AHEAD" not in two
    assert "  three: the original, as nothing improved on validation" in lines
    assert any("18 updates at 3 passes a picture, where the run made 9 at 6" in x for x in lines)
