"""What the pictures say of a gate, and what more of them would."""

from __future__ import annotations

import numpy as np

from semaudit import statistics
from semaudit.gates.binding import BoundGate
from semaudit.gates.grammar import Gate
from semaudit.layout import Array

RESAMPLES = 10_000


def evidence_of(
    gate: BoundGate, numbers: Array, resamples: int = RESAMPLES
) -> statistics.Evidence | None:
    """What the pictures' numbers say of a gate's statistic; None where none has a value."""
    if not np.isfinite(numbers).any():
        return None
    match gate.gate.statistic:
        case "mean":
            return statistics.mean_evidence(numbers, gate.bounds, resamples=resamples)
        case "max":
            return statistics.max_evidence(numbers, gate.bounds)
        case quantile:
            q = 0.5 if quantile == "median" else 0.95
            return statistics.quantile_evidence(numbers, q, gate.bounds)


def outlook(bound: BoundGate, numbers: Array, level: float) -> tuple[int | None, str]:
    """About how many pictures would decide a gate, if they are like these, and which way."""
    gate = bound.gate

    def repeated(times: int) -> statistics.Evidence:
        # Fewer resamples than for the verdict: only an unbounded mean has any, and this is a guess.
        found = evidence_of(bound, np.tile(numbers, times), RESAMPLES // 10)
        assert found is not None
        return found

    if gate.statistic == "max":
        never = "makes a maximum pass" if gate.at_most else "decides this of a maximum"
        return None, f"no number of pictures {never}; limit the p95 or the mean instead"
    more = statistics.pictures_to_decide(repeated, gate.limit, level)
    if more is None:
        return None, f"more than {statistics.MOST_PICTURES:,} pictures would be needed"
    # Not the estimate of these: a p95 of few pictures lies below where more of them lead.
    ahead = repeated(more // repeated(1).n).value
    way = "pass" if keeps(gate, ahead) else "fail"
    return more, f"about {more:,} pictures like these would make it {way}"


def keeps(gate: Gate, value: float) -> bool:
    """Whether a value is within a gate's limit."""
    return value <= gate.limit if gate.at_most else value >= gate.limit
