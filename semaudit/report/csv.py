"""The estimates as CSV, one line each: for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from semaudit.metric import SCORE
from semaudit.report.document import Interval, Report, Verdict
from semaudit.report.since import since
from semaudit.report.text import printable

HEADER = (
    *("scope", "name", "metric", "statistic", "value", "low", "high", "n", "outcome"),
    *("now", "baseline", "factor"),
)
"""The last three stand beside a difference: value is now less factor times the baseline's."""
_FORMULA = ("=", "+", "-", "@")


def to_csv(report: Report, folder: Path | None = None) -> str:
    """Return the gates, the whole, families and probes, and what changed; at full precision."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_rows(report))
    return file.getvalue()


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    for verdict in report.verdicts:
        against = verdict.against
        both = None if against is None else (against.now, against.baseline, against.factor)
        statistic = "" if against is None else "difference"
        yield _row("gate", verdict.gate, "", statistic, verdict, verdict.outcome.value, both)
    # What stands in the document apart from the estimates.
    for name in ("accuracy", "confidence", "entropy", "logit_norm"):
        each = getattr(report.clean, name)
        if each is not None:
            yield _row("all", "all", name, "mean", each)
    for each in report.estimates:
        if each.metric != SCORE.name or report.degenerate is None:
            yield _row(each.scope, each.name, each.metric, each.statistic, each)
    for moved in since(report.baseline) if report.baseline is not None else ():
        pair = None if moved.moved is None else (moved.moved.now, moved.moved.baseline, 1.0)
        statistic = "mean" if pair is None else "difference"
        yield _row("baseline", moved.place, moved.metric, statistic, moved.interval, "", pair)


def _row(
    scope: str,
    name: str,
    metric: str,
    statistic: str,
    of: Interval | Verdict,
    outcome: str = "",
    both: tuple[float, float, float] | None = None,
) -> tuple[str, ...]:
    numbers = ("" if each is None else repr(each) for each in (of.value, of.low, of.high))
    beside = ("", "", "") if both is None else tuple(map(repr, both))
    return (scope, _cell(name), _cell(metric), statistic, *numbers, str(of.n), outcome, *beside)


def _cell(text: str) -> str:
    """A name from outside, which no spreadsheet takes for a formula."""
    shown = printable(text).replace("##[", "## [")  # which a GitHub job would obey
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
