"""What is better and what worse by more than chance on the held-out pictures."""

from __future__ import annotations

import pytest

from semaudit.comparing import Change, Comparison
from semaudit.comparing.document import Churn, Side
from semaudit.finetuning.chance import better, degenerated, worse
from semaudit.report.document import Interval


@pytest.mark.parametrize(
    ("low", "high", "higher", "found"),
    [
        (0.01, 0.2, False, ["shift"]),
        (-0.01, 0.2, False, []),
        (-0.2, -0.01, False, []),
        (-0.2, -0.01, True, ["shift"]),
        (0.01, None, None, []),
    ],
)
def test_what_is_worse_by_more_than_chance_is_told(
    low: float | None, high: float | None, higher: bool | None, found: list[str]
) -> None:
    difference = Interval(value=0.0, low=low, high=high, n=9)
    change = Change(
        metric="shift", place="all", name="all", before=0.1, after=0.1, difference=difference,
        relative=0.0, lower=1, higher=1, p_value=1.0, higher_is_better=higher,
    )  # fmt: skip
    comparison = Comparison.model_construct(changes=[change], seen=[])
    assert worse(comparison) == found
    searched = change.model_copy(update={"place": "family", "name": "adversarial"})
    comparison = Comparison.model_construct(changes=[searched], seen=[])
    assert worse(comparison) == [f"worst-case {each}" for each in found]


@pytest.mark.parametrize(
    ("value", "p_value", "found"),
    [
        (0.05, 1e-9, ["shift"]),
        (-0.01, 1e-9, []),  # most rose by little, few fell by much
        (0.05, 0.04, []),  # of two tests
    ],
)
def test_what_the_sign_test_alone_shows_is_worse_too(
    value: float, p_value: float, found: list[str]
) -> None:
    difference = Interval(value=value, low=-0.1, high=0.2, n=60)
    change = Change(
        metric="shift", place="all", name="all", before=0.1, after=0.1 + value,
        difference=difference, relative=0.5, lower=2, higher=58, p_value=p_value,
        higher_is_better=False,
    )  # fmt: skip
    calm = {"lower": 30, "higher": 30, "p_value": 1.0, "metric": "flip_rate"}
    comparison = Comparison.model_construct(
        changes=[change, change.model_copy(update=calm)], seen=[]
    )
    assert worse(comparison) == found


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [(None, "the output is the same", ["degenerate"]), (None, None, []), ("same", "same", [])],
)
def test_a_model_that_has_become_degenerate_is_no_gain(
    before: str | None, after: str | None, found: list[str]
) -> None:
    sides = {"before": Side.model_construct(degenerate=before)}
    sides["after"] = Side.model_construct(degenerate=after)
    assert degenerated(Comparison.model_construct(**sides)) == found


def test_what_is_worse_counts_where_every_family_was_trained_under() -> None:
    difference = Interval(value=0.1, low=0.05, high=0.2, n=9)
    change = Change(
        metric="shift", place="all", name="all", before=0.1, after=0.2, difference=difference,
        relative=1.0, lower=0, higher=9, p_value=0.01, higher_is_better=False,
    )  # fmt: skip
    comparison = Comparison.model_construct(changes=[change], seen=["photometric"])
    assert worse(comparison) == ["shift"]
    unseen = change.model_copy(
        update={
            "place": "held-out",
            "name": "held-out",
            "difference": Interval(value=0.0, low=-0.1, high=0.1, n=9),
        }
    )
    comparison = Comparison.model_construct(changes=[change, unseen], seen=["photometric"])
    assert worse(comparison) == []


@pytest.mark.parametrize(
    ("low", "may_change", "found"),
    [
        (0.04, 0.03, ["agreement"]),
        (0.02, 0.03, []),
        (None, 0.03, []),
        (0.04, None, []),  # labels judge
    ],
)
def test_more_other_answers_than_allowed_are_told(
    low: float | None, may_change: float | None, found: list[str]
) -> None:
    share = Interval(value=0.08, low=low, high=0.2, n=100)
    churn = Churn(
        place="clean", name="clean", churn=share, negative_flips=None, positive_flips=None
    )
    comparison = Comparison.model_construct(changes=[], churn=[churn], seen=[])
    assert worse(comparison, may_change) == found


@pytest.mark.parametrize("higher", [False, True])
@pytest.mark.parametrize(
    ("value", "low", "high", "p_value", "shows"),
    [
        (0.1, 0.05, 0.2, 1.0, True),  # the interval
        (0.1, -0.05, 0.2, 1e-9, True),  # the sign test
        (0.1, -0.05, 0.2, 0.2, False),
    ],
)
def test_better_and_worse_are_mirrors(
    value: float, low: float, high: float, p_value: float, *, shows: bool, higher: bool
) -> None:
    for sign in (1, -1):
        ends = sorted((sign * low, sign * high))
        change = Change(
            metric="shift", place="all", name="all", before=0.5, after=0.5 + sign * value,
            difference=Interval(value=sign * value, low=ends[0], high=ends[1], n=60),
            relative=0.2, lower=2 if sign > 0 else 58, higher=58 if sign > 0 else 2,
            p_value=p_value, higher_is_better=higher,
        )  # fmt: skip
        comparison = Comparison.model_construct(changes=[change], seen=[])
        found = {"better": better(comparison), "worse": worse(comparison)}
        way, other = ("better", "worse") if (sign > 0) == higher else ("worse", "better")
        assert found == {way: ["shift"] * shows, other: []}
