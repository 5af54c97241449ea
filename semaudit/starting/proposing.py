"""Limits with headroom, proposed from what an audit measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semaudit import gates, statistics
from semaudit.columns import values
from semaudit.folder import REPORT
from semaudit.gates.shipped import recorded_metrics
from semaudit.report.document import Outcome, Report
from semaudit.report.file import read_report
from semaudit.report.text import number
from semaudit.store import Samples

HEADROOM = 0.1
"""How far beyond its interval a limit lies, as a share of it: the next model may differ a bit."""

_TIMES = (2, 4, 8, 16, 32, 64)
"""How many times as many pictures are looked at for whether they would do."""

_READABLE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10)


@dataclass(frozen=True)
class Proposal:
    """What an audit supports.

    Attributes:
        limits: each decided, and passed, by the audit itself.
        skipped: what cannot be limited yet, and why.
    """

    limits: tuple[str, ...]
    skipped: tuple[str, ...]


def propose(audit: Path) -> Proposal:
    """Propose limits that an audit passes, decided and not inconclusive.

    Raises:
        AuditError: it cannot be read.
    """
    report = read_report(audit / REPORT)
    samples = Samples(audit, report.layout)
    samples.check(report.data.pictures)
    if report.degenerate is not None:
        return Proposal((), (f"the model is degenerate ({report.degenerate}): nothing to limit",))
    if report.data.smoke_test or report.model.guessed_architecture:
        return Proposal((), ("a smoke test or a guessed architecture decides nothing",))
    wanted = _wanted(report)
    limits, skipped = [], []
    for subject in wanted:
        limit, reason = _limit(subject, len(wanted), samples, report, audit)
        if limit is None:
            skipped.append(f"{subject[0]}: {reason}")
        else:
            limits.append(limit)
    proposal = _decided(limits, skipped, samples, report, audit)
    own = (
        f"{each.gate}: the audit's own limit ({each.outcome.value}); to keep it, add it"
        for each in report.verdicts
        if each.gate not in proposal.limits
    )
    return Proposal(proposal.limits, (*proposal.skipped, *own))


def _wanted(report: Report) -> list[tuple[str, bool]]:
    """What a project limits first, and whether from above."""
    wanted = [("accuracy", False)] if report.data.labelled else []
    flips = report.model.activation != "none"
    for metric in ("flip_rate", "shift") if flips else ("shift",):
        if report.estimate(metric) is not None:
            wanted.append((metric, True))
    metric = "flip_rate" if flips else "shift"
    wanted += [
        (f"{metric}[{family}]", True)
        for family in report.layout.families
        if report.estimate(metric, "family", family) is not None
    ]
    return wanted


def _bound(text: str, samples: Samples, report: Report, audit: Path) -> gates.BoundGate:
    gate = gates.parse(text)
    metrics = recorded_metrics(report, [gate.metric], audit)
    layout, labelled = samples.layout, report.data.labelled
    return gates.bind([gate], metrics, layout, labelled, report.model.activation)[0]


def _limit(
    subject: tuple[str, bool], count: int, samples: Samples, report: Report, audit: Path
) -> tuple[str | None, str]:
    """A readable limit beyond the interval at the level of one of ``count`` gates, or why none."""
    name, at_most = subject
    bound = _bound(f"{name}{'<=' if at_most else '>='}0.5", samples, report, audit)
    numbers = values(samples, bound.metric, [bound.part])[:, 0]
    found = statistics.mean_evidence(numbers, bound.bounds)
    low, high = found.interval(gates.ALPHA / count)
    mean, (least, most) = found.value, bound.bounds

    def limit_of(ends: tuple[float, float]) -> float | None:
        """The limit beyond an interval; None where it would say little."""
        if at_most:
            limit = readable(ends[1] * (1 + HEADROOM), up=True)
            return limit if limit <= most / 2 else None
        limit = readable(ends[0] * (1 - HEADROOM), up=False)
        return limit if limit >= mean / 2 and limit > least else None

    limit = limit_of((low, high))
    if limit is not None:
        return f"{name}{'<=' if at_most else '>='}{limit:g}", ""
    if limit_of((mean, mean)) is None:
        if at_most:
            return None, f"at {number(mean)} it is too high for a limit that says much"
        return None, f"at {number(mean)} it is too low for a limit"
    wide = f"its interval, {number(low)} to {number(high)}, is too wide for {found.n:,} pictures"
    for times in _TIMES:
        more = statistics.mean_evidence(np.tile(numbers, times), bound.bounds, resamples=1000)
        if limit_of(more.interval(gates.ALPHA / count)) is not None:
            return None, f"{wide}; about {more.n:,} like these would do"
    return None, wide


def _decided(
    limits: list[str], skipped: list[str], samples: Samples, report: Report, audit: Path
) -> Proposal:
    """Keep what the audit passes when all are judged together."""
    while limits:
        bound = [_bound(limit, samples, report, audit) for limit in limits]
        verdicts = gates.judge_report(bound, samples, report)
        undecided = [each.gate for each in verdicts if each.outcome is not Outcome.PASS]
        if not undecided:
            break
        skipped += [f"{gate} would be inconclusive here" for gate in undecided]
        limits = [limit for limit in limits if limit not in undecided]
    return Proposal(tuple(limits), tuple(skipped))


def readable(value: float, *, up: bool) -> float:
    """The nearest short number that is no smaller, or with ``up`` false no larger."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = [step * power for step in _READABLE]
    within = [s for s in steps if (s >= value if up else s <= value)]
    found = (min(within) if up else max(within)) if within else value
    return float(f"{found:.3g}")
