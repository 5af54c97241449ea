"""What the interval says of a gate: pass, fail or inconclusive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semaudit import statistics, summary
from semaudit.errors import AuditError, GateError
from semaudit.gates import edges
from semaudit.gates.binding import BoundGate
from semaudit.gates.converging import too_low
from semaudit.gates.grammar import Gate, parse
from semaudit.gates.numbers import Beside, Numbers, numbers_of
from semaudit.gates.outlook import evidence_of, keeps, outlook
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.report.document import Outcome, Report, Verdict
from semaudit.store import Samples

ALPHA = 0.05


def judge_report(
    gates: Sequence[BoundGate], samples: Samples, report: Report, beside: Beside | None = None
) -> list[Verdict]:
    """Judge all gates on an audit, with what its report says of the model as a whole.

    Args:
        gates: bound to what they speak of.
        samples: of the audit.
        report: of the audit.
        beside: the baseline, if there is one.
    """
    return judge(
        gates,
        samples,
        report.degenerate,
        _unsteady(samples, report),
        untrusted(report),
        beside,
    )


def untrusted(report: Report) -> str | None:
    """Why no gate on a worst case or a gradient can pass, if so."""
    names = ", ".join(each.name for each in report.doubts)
    return f"not to be trusted: {names}" if names else None


def _rests_on(bound: BoundGate, samples: Samples) -> bool:
    """Whether a gate speaks of gradients or of a worst case."""
    tracks = [samples.layout.tracks[track] for track in bound.part.tracks]
    searched = any(track.family == ADVERSARIAL_FAMILY for track in tracks)
    return bound.metric.needs_gradients or (searched and bound.metric.level != "image")


def recorded_limits(report: Report, audit: Path) -> list[Gate]:
    """The limits that an audit was made with.

    Raises:
        AuditError: one of them cannot be read: the report is damaged.
    """
    try:
        return [parse(verdict.gate) for verdict in report.verdicts]
    except GateError as error:
        raise AuditError(f"the report in {audit} is damaged: {error}") from error


def _unsteady(samples: Samples, report: Report) -> str | None:
    """A remark where clean pictures alone, in another batch, move the output too much."""
    shift, floor = report.estimate("shift"), report.noise_floor
    if shift is None or floor is None or not summary.warnings(samples, shift, floor):
        return None
    return (
        f"of the mean shift of {shift.value:.2g} the same pictures in another batch make "
        f"{floor.value:.2g} by themselves"
    )


def judge(
    gates: Sequence[BoundGate],
    samples: Samples,
    degenerate: str | None = None,
    unsteady: str | None = None,
    untrusted: str | None = None,
    beside: Beside | None = None,
) -> list[Verdict]:
    """Judge all gates together: Holm shares the error rate of 5 % among them.

    A gate passes or fails only where its interval excludes the limit. Of a degenerate model no
    gate but accuracy can be judged: a constant is perfectly continuous. Of an ``unsteady`` one,
    whose answer depends on the batch or on chance, gates are judged, for that only adds to what
    they limit; the reason says so. Where worst cases and gradients are ``untrusted``, no gate on
    them passes. A gate that needs a baseline is judged by the differences from what stands
    ``beside``, picture by picture, at the same level as the rest.
    """
    numbers = [numbers_of(gate, samples, beside) for gate in gates]
    evidence = [evidence_of(gate, each.values) for gate, each in zip(gates, numbers, strict=True)]
    p_values = [
        1.0 if each is None else each.p_value(gate.gate.limit)
        for gate, each in zip(gates, evidence, strict=True)
    ]
    steps = statistics.holm(p_values, ALPHA)
    verdicts = [
        _verdict(gate, each, found, step, degenerate)
        for gate, each, found, step in zip(gates, numbers, evidence, steps, strict=True)
    ]
    doubts = {False: untrusted, True: untrusted or (None if beside is None else beside.untrusted)}
    doubted = [
        _doubted(
            verdict,
            (doubts[gate.gate.needs_baseline] if _rests_on(gate, samples) else None)
            or too_low(gate, samples),
        )
        for gate, verdict in zip(gates, verdicts, strict=True)
    ]
    return [
        _remarked(verdict, unsteady if gate.metric.level != "image" else None)
        for gate, verdict in zip(gates, doubted, strict=True)
    ]


def _doubted(verdict: Verdict, untrusted: str | None) -> Verdict:
    """A gate that rests on what is not to be trusted is inconclusive at best."""
    if untrusted is None or verdict.outcome is not Outcome.PASS:
        return verdict
    return verdict.model_copy(update={"outcome": Outcome.INCONCLUSIVE, "reason": untrusted})


def _remarked(verdict: Verdict, remark: str | None) -> Verdict:
    if remark is None:
        return verdict
    return verdict.model_copy(update={"reason": f"{verdict.reason}; {remark}"})


def _verdict(
    bound: BoundGate,
    numbers: Numbers,
    evidence: statistics.Evidence | None,
    step: statistics.HolmStep,
    degenerate: str | None,
) -> Verdict:
    gate = bound.gate
    if evidence is None:
        both = ", now and in the baseline" if gate.needs_baseline else ""
        reason = f"no picture has a value of {gate.metric} here{both}"
        return _undecided(gate, step, reason)
    low, high = evidence.interval(step.level)
    outcome, more = Outcome.INCONCLUSIVE, None
    if degenerate is not None and bound.metric.name != "accuracy":
        reason = f"cannot be judged: {degenerate}"
    elif step.decided:
        outcome = Outcome.PASS if keeps(gate, evidence.value) else Outcome.FAIL
        reason = "the interval excludes the limit"
    elif gate.factor is not None and evidence.value == gate.limit:
        reason = edges.as_in_baseline(bound, evidence, step.level)
    elif gate.statistic != "max" and edges.at_the_edge(bound) and evidence.value == gate.limit:
        best = evidence_of(bound, np.full(evidence.n, gate.limit))
        assert best is not None
        reason = edges.reason(bound, best, step.level)
    else:
        more, reason = outlook(bound, numbers.values, step.level)
    return Verdict(
        gate=gate.text,
        outcome=outcome,
        value=evidence.value,
        low=_finite(low),
        high=_finite(high),
        level=step.level,
        n=evidence.n,
        pictures_to_decide=more,
        reason=reason,
        against=numbers.against,
    )


def _undecided(gate: Gate, step: statistics.HolmStep, reason: str) -> Verdict:
    return Verdict(
        gate=gate.text,
        outcome=Outcome.INCONCLUSIVE,
        value=None,
        low=None,
        high=None,
        level=step.level,
        n=0,
        pictures_to_decide=None,
        reason=reason,
    )


def _finite(end: float) -> float | None:
    return end if math.isfinite(end) else None
