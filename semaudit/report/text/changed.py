"""What is said of an audit's baseline: what is new, what is fixed and what has stayed."""

from __future__ import annotations

from collections.abc import Callable

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
    "Then, now, and by how much, over the same pictures (in points where it is a share), with 95 "
    "% intervals. new: flips that the baseline has not; fixed: flips that only the baseline has; "
    "unchanged: in both."
)

_NARROWER = (
    ("where", "flips", "new", "shift"),
    ("where", "flips by", "new", "fixed: mean", "shift by"),
    ("where", "flips by", "new", "shift by: mean"),
)
"""Columns for less and less room: what is left out follows from the rest, or is in report.json."""


def change_rows(baseline: Baseline) -> list[tuple[str, ...]]:
    """The whole, then the families by their new flips, and last the worst case."""
    return [_row(each) for each in sorted(baseline.changed, key=_order)]


def narrower_changes(baseline: Baseline) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """The same as headers and rows in less and less width: at last fit for 80 columns."""
    changed = sorted(baseline.changed, key=_order)
    cells = [dict(zip(CHANGE_HEADERS, _row(each), strict=True)) | _brief(each) for each in changed]
    return [
        (
            tuple(name.partition(":")[0] for name in names),
            [tuple(row[name] for name in names) for row in cells],
        )
        for names in _NARROWER
    ]


def _brief(each: Changed) -> dict[str, str]:
    """Differences without what they are of, and means without intervals."""
    shift, flips = each.shift.difference, each.flips
    return {
        "flips by": "-" if flips is None else _by(flips.rate, points),
        "fixed: mean": "-" if flips is None else percent(flips.fixed.value),
        "shift by": _by(each.shift, signed),
        "shift by: mean": signed(shift.value),
    }


def _by(each: Moved, show: Callable[[float], str]) -> str:
    return difference(each.difference.value, each.difference, show)


def _order(each: Changed) -> tuple[bool, bool, float]:
    new = each.shift.difference.value if each.flips is None else each.flips.new.value
    return each.name == ADVERSARIAL_FAMILY, each.scope != "all", -new


def _row(each: Changed) -> tuple[str, ...]:
    name = "worst case" if each.name == ADVERSARIAL_FAMILY else each.name
    shift = f"{number(each.shift.baseline)} to {number(each.shift.now)}: {_by(each.shift, signed)}"
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
    return f"{percent(each.baseline)} to {percent(each.now)}: {_by(each, points)}"


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
