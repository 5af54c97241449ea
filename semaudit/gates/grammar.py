"""How a limit is written: ``metric[.statistic][probe|family|glob[@rung]] <=|>= value``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from semaudit.errors import GateError, did_you_mean

STATISTICS = ("mean", "median", "p95", "max")

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


def parse(text: str) -> Gate:
    """Read a gate.

    Raises:
        GateError: it cannot be read.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None and re.search(r"[<>](?!=)", text):
        raise GateError(f"cannot read the limit {text!r}: write <= or >=, as in 'flip_rate<=0.05'")
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
