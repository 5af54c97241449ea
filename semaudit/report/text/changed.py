"""What is said of an audit's baseline: what is new, what is fixed and what has stayed."""

from __future__ import annotations

from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.report.document import Baseline, Changed, Interval, Moved
from semaudit.report.text.numbers import (
    difference,
    number,
    percent,
    percent_interval,
    points,
    signed,
)

CHANGE_HEADERS = ("where", "flips", "new", "fixed", "unchanged", "shift")

CHANGE_NOTE = (
    "Then, now, and the difference over the same pictures (in points where it is a share), with 95 "
    "% intervals. new: flips that the baseline has not; fixed: flips that only the baseline has; "
    "unchanged: in both."
)


def change_rows(baseline: Baseline) -> list[tuple[str, ...]]:
    """The whole, then the families by their new flips, and last the worst case."""
    return [_row(each) for each in sorted(baseline.changed, key=_order)]


def _order(each: Changed) -> tuple[bool, bool, float]:
    new = each.shift.difference.value if each.flips is None else each.flips.new.value
    return each.name == ADVERSARIAL_FAMILY, each.scope != "all", -new


def _row(each: Changed) -> tuple[str, ...]:
    name = "worst case" if each.name == ADVERSARIAL_FAMILY else each.name
    shift = (
        f"{number(each.shift.baseline)} to {number(each.shift.now)}: "
        f"{difference(each.shift.difference.value, each.shift.difference, signed)}"
    )
    flips = each.flips
    if flips is None:
        return (name, "-", "-", "-", "-", shift)
    return (
        name,
        _shares(flips.rate),
        *(_share(part) for part in (flips.new, flips.fixed, flips.unchanged)),
        shift,
    )


def _shares(each: Moved) -> str:
    moved = difference(each.difference.value, each.difference, points)
    return f"{percent(each.baseline)} to {percent(each.now)}: {moved}"


def _share(each: Interval) -> str:
    return f"{percent(each.value)} {percent_interval(each)}"


def change_facts(baseline: Baseline) -> list[tuple[str, str]]:
    """What the baseline is, and what changed in the answers to the clean pictures."""
    facts = [
        (
            "baseline",
            f"{baseline.source}: {baseline.model}, weights {baseline.weights_sha256[:12]}, "
            f"semaudit {baseline.semaudit}",
        )
    ]
    if baseline.accuracy is not None:
        facts.append(("clean accuracy", _shares(baseline.accuracy)))
    for name, each in (
        ("other clean answers", baseline.answers),
        ("negative flips (right then, wrong now)", baseline.negative_flips),
        ("positive flips (wrong then, right now)", baseline.positive_flips),
    ):
        if each is not None:
            facts.append((name, _share(each)))
    return [*facts, *(("note", note) for note in baseline.notes)]
