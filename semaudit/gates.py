"""Gates: stated limits on estimates, and what the interval says of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from semaudit import statistics
from semaudit.columns import Part, bounds, values
from semaudit.errors import GateError, did_you_mean
from semaudit.layout import Layout
from semaudit.metric import Metric
from semaudit.report.document import Outcome, Verdict
from semaudit.store import Samples

STATISTICS = ("mean", "median", "p95", "max")
ALPHA = 0.05
RESAMPLES = 10_000

_GRAMMAR = re.compile(
    r"""\s*(?P<metric>[A-Za-z_]\w*)
        (?:\.(?P<statistic>\w+))?
        (?:\[\s*(?P<scope>[^\]@]+?)\s*(?:@\s*(?P<rung>[^\]\s]+)\s*)?\])?
        \s*(?P<operator><=|>=)\s*
        (?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*""",
    re.VERBOSE,
)
_HELP = "write metric[.statistic][probe|family|glob[@rung]] <= value, as in 'flip_rate<=0.05'"


@dataclass(frozen=True)
class Gate:
    """A limit on a statistic of a metric over a part of the battery.

    Attributes:
        text: as the user wrote it.
        scope: a probe's or family's name or a glob; None for the whole.
        rung: an int counts rungs from 1, a float is a strength; None for the whole ladder.
        at_most: True for ``<=``, False for ``>=``.
    """

    text: str
    metric: str
    statistic: str
    scope: str | None
    rung: float | int | None
    at_most: bool
    limit: float


@dataclass(frozen=True)
class BoundGate:
    """A gate together with the metric and the part of the battery that it speaks of."""

    gate: Gate
    metric: Metric
    part: Part
    bounds: tuple[float, float]


def parse(text: str) -> Gate:
    """Read a gate.

    Raises:
        GateError: it cannot be read.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise GateError(f"cannot read the limit {text!r}: {_HELP}")
    statistic = match["statistic"] or "mean"
    if statistic not in STATISTICS:
        raise GateError(
            f"unknown statistic {statistic!r} in {text!r}{did_you_mean(statistic, STATISTICS)}: "
            f"one of {', '.join(STATISTICS)}"
        )
    return Gate(
        text=text.strip(),
        metric=match["metric"],
        statistic=statistic,
        scope=match["scope"],
        rung=_rung(match["rung"], text),
        at_most=match["operator"] == "<=",
        limit=float(match["limit"]),
    )


def _rung(text: str | None, gate: str) -> float | int | None:
    if text is None:
        return None
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise GateError(
            f"cannot read the rung {text!r} in {gate!r}: a whole number counts the rungs from 1, "
            "a number with a point is a strength"
        ) from None


def bind(
    gates: Sequence[Gate], metrics: Mapping[str, Metric], layout: Layout, labelled: bool
) -> list[BoundGate]:
    """Find what each gate speaks of, before anything is measured.

    Raises:
        GateError: an unknown metric, a limit that nothing could break or meet, or a gate that
            matches nothing.
    """
    return [_bind(gate, metrics, layout, labelled) for gate in gates]


def _bind(gate: Gate, metrics: Mapping[str, Metric], layout: Layout, labelled: bool) -> BoundGate:
    metric = metrics.get(gate.metric)
    if metric is None:
        raise GateError(
            f"unknown metric {gate.metric!r} in {gate.text!r}{did_you_mean(gate.metric, metrics)}: "
            f"one of {', '.join(sorted(metrics))}"
        )
    if metric.name == "accuracy" and not labelled:
        raise GateError(f"{gate.text!r} matches nothing: the pictures have no labels")
    part = _part(gate, metric, layout)
    limits = bounds(metric, layout, part)
    _check_possible(gate, limits)
    return BoundGate(gate, metric, part, limits)


def _part(gate: Gate, metric: Metric, layout: Layout) -> Part:
    whole = metric.level == "image" or metric.name in ("score", "noise_floor")
    if whole and gate.scope is not None:
        raise GateError(
            f"{gate.text!r}: {gate.metric} is not measured by probe; drop [{gate.scope}]"
        )
    if metric.name == "noise_floor" and not layout.matching("identity"):
        raise GateError(f"{gate.text!r} matches nothing: the probe 'identity' was left out")
    tracks = layout.matching(gate.scope)
    if not tracks and metric.level != "image" and metric.name != "noise_floor":
        known = [name for track in layout.tracks for name in (track.name, track.family)]
        raise GateError(
            f"{gate.text!r} matches nothing: no probe or family of this battery is called "
            f"{gate.scope!r}{did_you_mean(gate.scope or '', known)}"
        )
    if gate.rung is not None:
        if metric.level != "rung":
            raise GateError(f"{gate.text!r}: {gate.metric} has no rungs; drop @{gate.rung}")
        if not any(layout.rung_index(track, gate.rung) is not None for track in tracks):
            ladders = "; ".join(
                f"{layout.tracks[t].name}: {', '.join(map(str, layout.tracks[t].ladder))}"
                for t in tracks[:3]
            )
            raise GateError(f"{gate.text!r} matches nothing: no rung {gate.rung} ({ladders})")
    if not metric.comparable and len(tracks) > 1:
        raise GateError(
            f"{gate.text!r}: {gate.metric} is in each probe's own strengths; name one probe"
        )
    return Part(tracks, gate.rung)


def _check_possible(gate: Gate, limits: tuple[float, float]) -> None:
    low, high = limits
    said = f"{gate.metric} lies in [{low:g}, {high:g}]"
    out_of_reach = gate.limit < low if gate.at_most else gate.limit > high
    if out_of_reach:
        raise GateError(f"impossible limit {gate.text!r}: {said}, so that no model could meet it")
    idle = gate.limit >= high if gate.at_most else gate.limit <= low
    if idle:
        raise GateError(f"idle limit {gate.text!r}: {said}, so that no model could break it")


def judge(
    gates: Sequence[BoundGate], samples: Samples, degenerate: str | None = None
) -> list[Verdict]:
    """Judge all gates together: Holm shares the error rate of 5 % among them.

    A gate passes or fails only where its interval excludes the limit. Of a degenerate model no
    gate but accuracy can be judged: a constant is perfectly continuous.
    """
    evidence = [_evidence(gate, samples) for gate in gates]
    p_values = [
        1.0 if each is None else each.p_value(gate.gate.limit)
        for gate, each in zip(gates, evidence, strict=True)
    ]
    steps = statistics.holm(p_values, ALPHA)
    return [
        _verdict(gate, each, step, degenerate)
        for gate, each, step in zip(gates, evidence, steps, strict=True)
    ]


def _evidence(gate: BoundGate, samples: Samples) -> statistics.Evidence | None:
    numbers = values(samples, gate.metric, [gate.part])[:, 0]
    if not np.isfinite(numbers).any():
        return None
    match gate.gate.statistic:
        case "mean":
            return statistics.mean_evidence(numbers, gate.bounds, resamples=RESAMPLES)
        case "max":
            return statistics.max_evidence(numbers, gate.bounds)
        case quantile:
            q = 0.5 if quantile == "median" else 0.95
            return statistics.quantile_evidence(numbers, q, gate.bounds)


def _verdict(
    bound: BoundGate,
    evidence: statistics.Evidence | None,
    step: statistics.HolmStep,
    degenerate: str | None,
) -> Verdict:
    gate = bound.gate
    if evidence is None:
        reason = f"no picture has a value of {gate.metric} here"
        return _undecided(gate, step, reason)
    low, high = evidence.interval(step.level)
    outcome, more = Outcome.INCONCLUSIVE, None
    if degenerate is not None and bound.metric.name != "accuracy":
        reason = f"cannot be judged: {degenerate}"
    elif step.decided:
        kept = evidence.value <= gate.limit if gate.at_most else evidence.value >= gate.limit
        outcome = Outcome.PASS if kept else Outcome.FAIL
        reason = "the interval excludes the limit"
    else:
        more = statistics.pictures_to_decide(evidence, gate.limit, step.level)
        reason = (
            f"about {more:,} pictures would decide it"
            if more
            else "no number of pictures would decide it; limit the p95 or the mean instead"
            if gate.statistic == "max"
            else "the estimate lies on the limit: no number of pictures is known to decide it"
        )
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


def exit_code(
    verdicts: Sequence[Verdict], *, degenerate: bool, accept_inconclusive: bool, exit_zero: bool
) -> int:
    """0 all pass, 1 a gate failed, 3 a gate could not be judged, 4 something inconclusive.

    A gate cannot be judged on a degenerate model, or where nothing was measured: more pictures
    would not help, so neither ``accept_inconclusive`` nor ``exit_zero`` makes that a success.
    """
    outcomes = {verdict.outcome for verdict in verdicts}
    unjudged = degenerate and Outcome.INCONCLUSIVE in outcomes
    if Outcome.FAIL in outcomes and not exit_zero:
        return 1
    if unjudged or any(verdict.value is None for verdict in verdicts):
        return 3
    tolerated = exit_zero or accept_inconclusive
    return 4 if Outcome.INCONCLUSIVE in outcomes and not tolerated else 0
