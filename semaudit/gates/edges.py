"""Limits at the end of a metric's range, which no finite sample can show to be kept."""

from __future__ import annotations

import math

from semaudit.gates.binding import BoundGate
from semaudit.statistics import Evidence

_DIGITS = 3


def at_the_edge(bound: BoundGate) -> bool:
    """Whether only a metric that stands at the very end of its range would keep the limit."""
    low, high = bound.bounds
    return bound.gate.limit == (low if bound.gate.at_most else high)


def reason(bound: BoundGate, best: Evidence, level: float) -> str:
    """Say that pictures cannot show it, and which limit as many could.

    Args:
        bound: a gate at the edge.
        best: the evidence of the best that so many pictures can give: all at the end of the range.
        level: the error rate that the gate is judged at.
    """
    gate = bound.gate
    quantile = gate.statistic != "mean"
    if quantile:
        said = (
            f"a gate passes where its interval excludes the limit, and none lies beyond "
            f"{gate.limit:g}, the end of the range of {gate.metric}"
        )
    else:
        said = (
            f"no number of pictures can show that {gate.metric} is exactly {gate.limit:g}, the end "
            "of its range, for the next picture may differ"
        )
    low, high = best.interval(level)
    shown = high if gate.at_most else low
    if not math.isfinite(shown) or shown == bound.bounds[1 if gate.at_most else 0]:
        return f"{said}: limit something weaker{', and take more pictures' * quantile}"
    counted, confidence = _counted(best.n), _confidence(level)
    if shown == gate.limit:
        side = "above" if gate.at_most else "below"
        return f"{said}; {counted} at {gate.limit:g} show any limit {side} it at {confidence}"
    weaker = f"{_subject(bound)}{_outward(shown, up=gate.at_most):g}"
    return f"{said}; {counted} at {gate.limit:g} can show {weaker} at {confidence}"


def as_in_baseline(bound: BoundGate, found: Evidence, level: float) -> str:
    """Say that a mean which lies on its limit needs a margin, and which these pictures can show.

    Args:
        bound: a gate that is held against a baseline.
        found: what the pictures say, with the limit for its value.
        level: the error rate that the gate is judged at.
    """
    gate = bound.gate
    said = "it lies exactly on the limit, which no number of pictures can show to be kept"
    low, high = found.interval(level)
    shown = high if gate.at_most else low
    if not math.isfinite(shown) or shown == bound.bounds[1 if gate.at_most else 0]:
        return f"{said}: allow a margin, and take more pictures"
    times = "" if gate.factor == 1 else f"*{gate.factor!r}"
    weaker = f"{_subject(bound)}baseline{times}{_outward(shown, up=gate.at_most):+g}"
    return f"{said}; {_counted(found.n)} like these can show {weaker} at {_confidence(level)}"


def _subject(bound: BoundGate) -> str:
    """A limit up to its operator."""
    operator = "<=" if bound.gate.at_most else ">="
    return f"{bound.gate.text.rpartition(operator)[0].strip()}{operator}"


def _counted(n: int) -> str:
    return f"{n:,} picture{'s' * (n != 1)}"


def _confidence(level: float) -> str:
    return f"{100 * (1 - level):.4g} % confidence"


def _outward(value: float, *, up: bool) -> float:
    """Rounded to a few digits, never to a limit that is harder to keep."""
    if value == 0:
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    return (math.ceil if up else math.floor)(value / step) * step
