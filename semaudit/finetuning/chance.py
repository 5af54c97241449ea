"""What got better on the held-out pictures, and what worse, by more than chance."""

from __future__ import annotations

from typing import Literal

from semaudit.comparing import Change, Comparison
from semaudit.comparing.document import Place
from semaudit.comparing.words import ALPHA, reading
from semaudit.layout import ADVERSARIAL_FAMILY

Way = Literal["better", "worse"]

WORST_CASE = "worst-case "
"""Goes before the name of what is worse in the worst case."""

DEGENERATE = "degenerate"
"""Stands among what is worse where the answers hardly depend on the picture any more."""

AGREEMENT = "agreement"
"""Stands among what is worse where too many answers are others than the original's."""

MEASURES = {"shift": "shift", "flip": "flip_rate", "gradient_turn": "gradient_turn"}
"""What the means are called in the record, and in a comparison."""


def worse(found: Comparison, may_change: float | None = None) -> list[str]:
    """What has got worse by more than chance.

    Shift, flips and turn over unseen families (over all where none is unseen), shift and flips of
    the worst case, and accuracy, by the 95 % intervals of the differences, picture by picture, or
    by the sign test, as the intervals ask much of few pictures; the agreement with the original,
    where more answers are others than may be, by the interval of that share.
    """
    lost = _changed(found, "worse")
    return lost if may_change is None or _agrees(found, may_change) else [*lost, AGREEMENT]


def better(found: Comparison) -> list[str]:
    """What has got better by more than chance, of what may be worse, and by the same tests."""
    return _changed(found, "better")


def _changed(found: Comparison, way: Way) -> list[str]:
    measured = _looked_at(found)
    return [name for name, each in measured.items() if _shows(each, way, len(measured))]


def _looked_at(found: Comparison) -> dict[str, Change]:
    """What there is of it, by name."""
    unseen = found.change("shift", "held-out") is not None
    place: Place = "held-out" if unseen else "all"
    looked_at = {metric: found.change(metric, place) for metric in MEASURES.values()}
    for metric in ("shift", "flip_rate"):
        looked_at[f"{WORST_CASE}{metric}"] = found.change(metric, "family", ADVERSARIAL_FAMILY)
    looked_at["accuracy"] = found.change("accuracy", "clean")
    return {name: each for name, each in looked_at.items() if each is not None}


def degenerated(found: Comparison) -> list[str]:
    """A constant answer is perfectly continuous: no gain."""
    return [DEGENERATE] if found.after.degenerate and not found.before.degenerate else []


def _agrees(found: Comparison, may_change: float) -> bool:
    answers = found.answers()
    return answers is None or answers.churn.low is None or answers.churn.low <= may_change


def _shows(change: Change, way: Way, tests: int) -> bool:
    """By the interval of the mean; or by the sign test, where the mean is on the same side.

    The sign test is Bonferroni's, of so many tests. Accuracy, of which a part may be lost, needs
    the interval.
    """
    said = reading(change)
    if said != f"mostly {way}":
        return said == way
    rose = change.difference.value > 0
    got: Way = "better" if rose == change.higher_is_better else "worse"
    moved = change.difference.value != 0 and got == way
    return moved and change.metric != "accuracy" and change.p_value <= ALPHA / tests
