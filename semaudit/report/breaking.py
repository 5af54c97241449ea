"""Which probes break a limit."""

from __future__ import annotations

from semaudit.errors import GateError
from semaudit.gates.grammar import Gate, parse
from semaudit.report import text
from semaudit.report.document import Estimate, Outcome, Report, Verdict

SHOWN = 5
"""How many probes are named beside a gate that they break."""


def broken_by(report: Report, verdict: Verdict) -> list[Estimate]:
    """The probes in a failed gate's scope that break its limit by themselves, worst first.

    Those whose interval holds the limit are left out: they are not shown to break it. There are
    none where the metric is of the whole or of a picture (score, accuracy), where the
    limit is on one rung, and where it is held against a baseline.
    """
    if verdict.outcome is not Outcome.FAIL:
        return []
    try:
        gate = parse(verdict.gate)
    except GateError:  # of a later semaudit
        return []
    if gate.rung is not None or "baseline" in verdict.gate.rpartition("=")[2]:
        return []
    layout, sign = report.layout, 1 if gate.at_most else -1
    names = {layout.tracks[track].name for track in layout.matching(gate.scope)}
    wanted = (gate.metric, "probe", gate.statistic)
    beyond = [
        each
        for each in report.estimates
        if (each.metric, each.scope, each.statistic) == wanted
        and each.name in names
        and _excludes(each, gate)
    ]
    return sorted(beyond, key=lambda each: -sign * each.value)


def _excludes(each: Estimate, gate: Gate) -> bool:
    """Whether the interval lies beyond the limit as a whole."""
    if gate.at_most:
        return each.low is not None and each.low > gate.limit
    return each.high is not None and each.high < gate.limit


def broken_lines(report: Report, verdict: Verdict) -> list[str]:
    """The worst of them, a line each."""
    broken = broken_by(report, verdict)
    more = len(broken) - SHOWN
    return [
        *(f"{text.printable(each.name)}: {text.estimated(each)}" for each in broken[:SHOWN]),
        *([f"and {more} more probe{'s' * (more != 1)}"] if more > 0 else []),
    ]
