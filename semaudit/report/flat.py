"""metrics.json: the main figures as flat keys and numbers, which `dvc metrics diff` reads."""

from __future__ import annotations

import math

from semaudit.report.document import Interval, Outcome, Report
from semaudit.report.file import as_json
from semaudit.report.since import since
from semaudit.report.text import printable

ALONG_LADDERS = ("flip_rate", "shift", "jump", "gradient_turn", "transport")
"""Metrics of which the whole and every family are told."""


def to_flat(report: Report) -> str:
    """Return the means, under keys as limits are written; what was not measured is left out.

    Where there is a baseline, a difference from it is marked by its key's end, ``-baseline``.
    """
    return as_json({key: value for key, value in _figures(report).items() if math.isfinite(value)})


def _figures(report: Report) -> dict[str, float]:
    clean = report.clean
    named: dict[str, Interval | None] = {
        "score": report.score,
        "accuracy": clean.accuracy,
        "confidence": clean.confidence,
        "entropy": clean.entropy,
        "logit_norm": clean.logit_norm,
        "noise_floor": report.noise_floor,
    }
    told = {*ALONG_LADDERS, *(each.name for each in report.metrics if each.shown)}
    told |= {each.name for each in report.metrics if each.level == "image"}
    for each in report.estimates:
        if each.statistic == "mean" and each.scope != "probe" and each.metric in told:
            part = "" if each.scope == "all" else f"[{each.name}]"
            named[printable(f"{each.metric}{part}")] = each
    for moved in since(report.baseline) if report.baseline is not None else ():
        named[printable(moved.key)] = moved.interval
    figures = {key: each.value for key, each in named.items() if each is not None}
    outcomes = [verdict.outcome for verdict in report.verdicts]
    return {**figures, **{f"gates_{each.value}": outcomes.count(each) for each in Outcome}}
