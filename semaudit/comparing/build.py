"""Compares two audits, picture by picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semaudit.comparing import remarks
from semaudit.comparing.alike import definitions, refuse_unlike
from semaudit.comparing.changes import (
    RIGHT,
    change_of_clean,
    changes_along,
    churn_at,
    ladders,
    right,
)
from semaudit.comparing.document import Change, Comparison, Side
from semaudit.comparing.gaps import gaps
from semaudit.comparing.opening import Opened, opened
from semaudit.comparing.pairs import Both, Pairs, paired
from semaudit.comparing.places import Places, check_seen, places
from semaudit.metric import Metric

if TYPE_CHECKING:
    from semaudit.audit import Audit

ALONG: Mapping[str, bool] = {"flip_rate": False, "shift": False, "gradient_turn": False}
"""Metrics compared along ladders, and whether higher is better."""

CLEAN: Mapping[str, bool | None] = {"confidence": None, "entropy": None, "logit_norm": None}
"""What stands beside the shift, which a flatter output makes smaller without any merit."""

_COMPARED = (*ALONG, *CLEAN, "score")


def compare(
    before: Audit | Path | str, after: Audit | Path | str, *, seen: Collection[str] = frozenset()
) -> Comparison:
    """Compare two audits of the same pictures, probes and seed.

    Args:
        before: an audit, or its folder.
        after: another of the same pictures, probes and seed.
        seen: families that the second model was tuned on; they and the rest are told apart.

    Raises:
        AuditError: an audit is missing, unfinished or damaged, or the two are not of the same
            pictures, probes or seed: with all that differs.
        UsageError: ``seen`` names no family of theirs.
    """
    one, other = opened(before), opened(after)
    check_seen(seen, one.report.layout)
    refuse_unlike(one, other, _COMPARED)
    pairs = paired(one, other)
    along, clean = _along(pairs), _clean(pairs)
    score = _measured(pairs, ["score"])
    where = places(pairs.layout, seen)
    return Comparison(
        before=_side(one),
        after=_side(other),
        pictures=one.report.data.pictures,
        labelled=bool(np.isfinite(pairs.labels()).any()),
        activation=one.report.model.activation,
        seed=one.report.seed,
        fingerprint=one.report.data.fingerprint,
        identical=_identical(pairs, [*along.values(), *clean.values(), *score.values()]),
        seen=sorted(seen),
        warnings=remarks.warnings(one, other),
        notes=[
            *remarks.notes(one, other, _who_measured(one, other)),
            *gaps(pairs, [each for each in (*along, *clean, *score) if each != RIGHT]),
        ],
        changes=[
            *_changes_of_clean(clean),
            *_score(score, pairs, where),
            *_changes_along(along, pairs, where),
        ],
        churn=[] if one.report.model.activation == "none" else churn_at(pairs, where),
        ladders=ladders(pairs.layout, *_curves(along)),
    )


Measured = dict[Metric, Both]


def _measured(pairs: Pairs, names: Collection[str]) -> Measured:
    """What both audits measured of these metrics."""
    one, other = definitions(pairs.before, _COMPARED), definitions(pairs.after, _COMPARED)
    return {one[name]: pairs.measured(one[name]) for name in names if name in one and name in other}


def _along(pairs: Pairs) -> Measured:
    """What is compared along ladders: (N, C) each."""
    found = _measured(pairs, ALONG)
    if pairs.before.report.model.activation != "none":
        found[RIGHT] = right(pairs.classes(), pairs.labels())
    return found


def _clean(pairs: Pairs) -> Measured:
    """What is compared of the clean pictures: (N, 1) each."""
    found = _measured(pairs, CLEAN)
    if pairs.before.report.model.activation == "none":
        return found
    return {RIGHT: right(pairs.clean_classes(), pairs.labels()), **found}


def _changes_of_clean(measured: Measured) -> list[Change]:
    better = {**CLEAN, RIGHT.name: True}
    return [
        change
        for metric, both in measured.items()
        for change in change_of_clean(metric, both, better[metric.name])
    ]


def _changes_along(measured: Measured, pairs: Pairs, where: Places) -> list[Change]:
    better = {**ALONG, RIGHT.name: True}
    return [
        change
        for metric, both in measured.items()
        for change in changes_along(metric, both, pairs.layout, where, better[metric.name])
    ]


def _score(measured: Measured, pairs: Pairs, where: Places) -> list[Change]:
    """The continuity score, of the whole; withheld of a degenerate model as a scan does."""
    if pairs.before.report.degenerate or pairs.after.report.degenerate:
        return []
    whole = [each for each in where if each[0] == "all"]
    return [
        change
        for metric, both in measured.items()
        if whole
        for change in changes_along(metric, both, pairs.layout, whole, True)
    ]


def _curves(along: Measured) -> tuple[Both, Both | None]:
    by_name = {metric.name: both for metric, both in along.items()}
    flips = by_name.get("flip_rate")
    return by_name["shift"], flips


def _identical(pairs: Pairs, measured: Collection[Both]) -> bool:
    every = [*measured, pairs.clean_classes(), pairs.classes()]
    return all(np.array_equal(one, other, equal_nan=True) for one, other in every)


def _who_measured(one: Opened, other: Opened) -> dict[str, tuple[bool, bool]]:
    first, second = definitions(one, _COMPARED), definitions(other, _COMPARED)
    return {name: (name in first, name in second) for name in _COMPARED}


def _side(audit: Opened) -> Side:
    report = audit.report
    return Side(
        audit=audit.name,
        model=report.model.name,
        weights_sha256=report.model.weights_sha256,
        preprocessing=report.model.preprocessing,
        semaudit=report.semaudit,
        degenerate=report.degenerate,
    )
