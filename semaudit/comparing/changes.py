"""What changed, number by number: paired over pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from semaudit.columns import fold
from semaudit.comparing.document import Change, Churn, Ladder, Place, Point
from semaudit.comparing.pairs import Both, Pairs
from semaudit.comparing.places import Places
from semaudit.layout import Array, Layout
from semaudit.metric import Metric
from semaudit.report.document import Interval
from semaudit.statistics import Evidence, mean_evidence, paired_evidence
from semaudit.summary import mean_intervals

RIGHT = Metric("accuracy", "class", "rung", (0, 1), True, "Share of right answers.")
"""Accuracy on changed pictures; it is measured from the classes, not from a column of its own."""

SHARE = Metric("share", "class", "rung", (0, 1), True, "Share of cells.")


def changes_along(
    metric: Metric, both: Both, layout: Layout, places: Places, higher_is_better: bool | None
) -> list[Change]:
    """The changes of a metric (N, P) or (N, C) at every place that has it."""
    parts = [part for _, _, part in places]
    before, after = (fold(each, metric, layout, parts) for each in both)
    return [
        _change(metric, place, name, (before[:, g], after[:, g]), higher_is_better)
        for g, (place, name, _) in enumerate(places)
        if np.isfinite(before[:, g]).any()
    ]


def change_of_clean(metric: Metric, both: Both, higher_is_better: bool | None) -> list[Change]:
    """The change of a metric (N, 1) of the clean pictures; none where no picture has it."""
    if not np.isfinite(both[0]).any():
        return []
    columns = (both[0][:, 0], both[1][:, 0])
    return [_change(metric, "clean", "clean", columns, higher_is_better)]


def _change(
    metric: Metric, place: Place, name: str, both: Both, higher_is_better: bool | None
) -> Change:
    pair = paired_evidence(*both, metric.bounds)
    return Change(
        metric=metric.name,
        place=place,
        name=name,
        before=pair.before,
        after=pair.after,
        difference=interval(pair.difference),
        relative=pair.difference.value / pair.before if pair.before > 0 else None,
        lower=pair.lower,
        higher=pair.higher,
        p_value=pair.p_value,
        higher_is_better=higher_is_better,
    )


def interval(evidence: Evidence) -> Interval:
    """The 95 % interval; an infinite end is None."""
    low, high = (end if math.isfinite(end) else None for end in evidence.interval())
    return Interval(value=evidence.value, low=low, high=high, n=evidence.n)


def churn_at(pairs: Pairs, places: Places) -> list[Churn]:
    """How the answers to the clean and to the changed pictures differ between the two models."""
    labels = pairs.labels()
    parts = [part for _, _, part in places]
    clean = [("clean", "clean", each) for each in [exchanged(pairs.clean_classes(), labels)]]
    found = [_churn("clean", "clean", [column[:, 0] for column in each]) for _, _, each in clean]
    folded = [fold(each, SHARE, pairs.layout, parts) for each in exchanged(pairs.classes(), labels)]
    for g, (place, name, _) in enumerate(places):
        found.append(_churn(place, name, [each[:, g] for each in folded]))
    return found


def exchanged(classes: Both, labels: Array) -> list[Array]:
    """Where the answer differs, where it became wrong and where right; NaN without a label."""
    before, after = classes
    unknown = np.isnan(labels)
    was, now = before == labels, after == labels
    return [
        (before != after).astype(np.float64),
        np.where(unknown, np.nan, was & ~now),
        np.where(unknown, np.nan, ~was & now),
    ]


def _churn(place: Place, name: str, columns: Sequence[Array]) -> Churn:
    churn, negative, positive = (
        interval(mean_evidence(each, (0, 1))) if np.isfinite(each).any() else None
        for each in columns
    )
    assert churn is not None
    return Churn(
        place=place, name=name, churn=churn, negative_flips=negative, positive_flips=positive
    )


def right(classes: Both, labels: Array) -> Both:
    """Whether answers are right, as 1 and 0; NaN where there is no label."""
    before, after = (np.where(np.isnan(labels), np.nan, each == labels) for each in classes)
    return before, after


def ladders(layout: Layout, shift: Both, flips: Both | None) -> list[Ladder]:
    """Both models along every ladder, from their cells (N, C)."""
    shifts = _points(shift)
    flipped = None if flips is None else _points(flips)
    return [
        Ladder(
            probe=track.name,
            family=track.family,
            strengths=list(track.ladder),
            shift=shifts[span],
            flip_rate=None if flipped is None else flipped[span],
        )
        for track, span in zip(layout.tracks, layout.spans, strict=True)
    ]


def _points(both: Both) -> list[Point]:
    before, after = (mean_intervals(each, (0, 1)) for each in both)
    differences = [
        interval(paired_evidence(both[0][:, c], both[1][:, c], (0, 1)).difference)
        for c in range(both[0].shape[1])
    ]
    return [
        Point(before=one, after=other, difference=difference)
        for one, other, difference in zip(before, after, differences, strict=True)
    ]
