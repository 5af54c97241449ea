"""The rows of the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from semaudit.layout import ASIDE
from semaudit.report.document import (
    Comparison,
    Interval,
    Outcome,
    Report,
    Scope,
    Verdict,
    WorstPicture,
)
from semaudit.report.text.numbers import (
    estimated,
    interval,
    number,
    percent,
    percent_interval,
    short,
    sparkline,
)


def probe_headers(report: Report) -> tuple[str, ...]:
    """What `probe_rows` are."""
    return ("probe", "family", "flips", "shift", "curve", "jump", *_more_headers(report))


def probe_rows(report: Report) -> list[tuple[str, ...]]:
    """The probes, worst first, without what stands beside the whole."""
    curves = [curve for curve in report.curves if curve.family not in ASIDE]
    top = max((point.value for curve in curves for point in curve.shift), default=0.0)
    rows = []
    for curve in curves:
        flips, shift, jump = (
            report.estimate(metric, "probe", curve.probe)
            for metric in ("flip_rate", "shift", "jump")
        )
        if shift is None or jump is None:
            continue
        cells = (
            curve.probe,
            curve.family,
            _flips(flips),
            number(shift.value),
            # In sqrt(JSD), the metric: gentle probes would be flat lines beside harsh ones.
            sparkline([math.sqrt(point.value) for point in curve.shift], math.sqrt(top)),
            number(jump.value),
            *_more_cells(report, "probe", curve.probe, brief=True),
        )
        rows.append((shift.value, cells))
    return [cells for _, cells in sorted(rows, key=lambda row: -row[0])]


def _flips(flips: Interval | None) -> str:
    """Embeddings name no class that could flip."""
    return "-" if flips is None else f"{percent(flips.value)} {percent_interval(flips)}"


_SHOWN = {"transport": "transport", "gradient_turn": "turn"}
"""Metrics that are shown beside the shift where they are measured, and under which header."""


def _more(report: Report) -> tuple[str, ...]:
    """The columns that only some reports have: turn, transport, and the metrics of plugins."""
    return tuple(
        each.name
        for each in report.metrics
        if (each.shown or each.name in _SHOWN)
        and each.level != "image"
        and report.estimate(each.name) is not None
    )


def _more_headers(report: Report) -> tuple[str, ...]:
    return tuple(_SHOWN.get(name, name) for name in _more(report))


def _more_cells(report: Report, scope: Scope, name: str, *, brief: bool) -> tuple[str, ...]:
    """One cell a further column, without intervals if ``brief``."""
    found = [report.estimate(metric, scope, name) for metric in _more(report)]
    return tuple("-" if each is None else _said(each, brief=brief) for each in found)


def _said(each: Interval, *, brief: bool) -> str:
    return number(each.value) if brief else f"{number(each.value)} {interval(each)}"


def family_headers(report: Report) -> tuple[str, ...]:
    """What `family_rows` are."""
    return ("family", "flips", "shift", "jump", *_more_headers(report))


def family_rows(report: Report, *, brief: bool = False) -> list[tuple[str, ...]]:
    """The families, worst first, then the whole; ``brief`` leaves some intervals out."""
    families = {probe.family: None for probe in report.battery if probe.family not in ASIDE}
    rows = []
    scopes: list[tuple[Scope, str]] = [*(("family", name) for name in families), ("all", "all")]
    for scope, name in scopes:
        found = [report.estimate(metric, scope, name) for metric in ("flip_rate", "shift", "jump")]
        flips, shift, jump = found
        if shift is None or jump is None:
            continue
        cells = (
            name,
            _flips(flips),
            f"{number(shift.value)} {interval(shift)}",
            _said(jump, brief=brief),
            *_more_cells(report, scope, name, brief=brief),
        )
        rows.append((scope == "all", -shift.value, cells))
    return [cells for _, _, cells in sorted(rows)]


def worst_rows(report: Report, count: int) -> list[tuple[str, str, str, str, str]]:
    """(picture, shift, worst probe, from, to) of the worst pictures."""
    return [
        (
            short(each.image),
            number(each.shift),
            f"{each.probe} {each.strength:g}",
            short(each.clean_name),
            _turned(report, each),
        )
        for each in report.worst[:count]
    ]


def _turned(report: Report, each: WorstPicture) -> str:
    if report.model.activation == "none":
        return "-"
    same = "(same class)" if report.model.activation == "softmax" else "(same first label)"
    return short(each.to_name) if each.to_class != each.clean_class else same


WORST_HEADERS = ("picture", "shift", "worst at", "from", "to")


def flip_rows(report: Report, count: int) -> list[tuple[str, str, str]]:
    """(from, to, pictures) of the commonest turns."""
    return [
        (short(each.from_name), short(each.to_name), f"{each.pictures}")
        for each in report.class_flips[:count]
    ]


FLIP_HEADERS = ("from", "to", "pictures")


def resize_rows(comparison: Comparison) -> list[tuple[str, str, str, str, str]]:
    """(resize, flips, shift, pixel difference, accuracy), the model's own first."""
    own = (f"{comparison.own}, as scanned", "-", "-", "-", _share(comparison.accuracy))
    return [own] + [
        (
            each.name,
            _flips(each.flip_rate),
            f"{number(each.shift.value)} {interval(each.shift)}",
            number(each.pixel_difference),
            _share(each.accuracy),
        )
        for each in comparison.compared
        if each.name != comparison.own
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


RESIZE_HEADERS = ("resize", "flips", "shift", "pixels moved", "accuracy")


WORDS = ("fail", "error", "inconclusive", "pass")
"""What is said of gates, the worst first."""


def word(verdict: Verdict) -> str:
    """The outcome, but `error` where there is no value to judge: no flag accepts that."""
    unjudged = verdict.outcome is not Outcome.FAIL and verdict.value is None
    return "error" if unjudged else verdict.outcome.value


_VERDICT_HEADERS = ("verdict", "gate", "estimate", "why")


def verdict_table(
    verdicts: Sequence[Verdict],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headers and rows (outcome, gate, estimate, reason), without the last where none is given."""
    rows = [
        (
            word(each),
            each.gate,
            estimated(each),
            each.reason if each.outcome is Outcome.INCONCLUSIVE else "",
        )
        for each in verdicts
    ]
    kept = len(_VERDICT_HEADERS) - (not any(row[-1] for row in rows))
    return _VERDICT_HEADERS[:kept], [row[:kept] for row in rows]
