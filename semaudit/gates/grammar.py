"""How a limit is written: ``metric[.statistic][probe|family|glob[@rung]] <=|>= value``.

The value is a number, or is held against another audit: ``baseline``, ``baseline*1.1``,
``baseline+0.01``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from semaudit.errors import GateError, did_you_mean
from semaudit.metric import CHANGES

STATISTICS = ("mean", "median", "p95", "max")

_GRAMMAR = re.compile(
    r"""\s*(?P<metric>[A-Za-z_]\w*)
        (?:\.(?P<statistic>\w+))?
        (?:\[\s*(?P<scope>[^\]@]+?)\s*(?:@\s*(?P<rung>[^\]\s]+)\s*)?\])?
        \s*(?P<operator><=|>=)\s*
        (?:(?P<limit>[-+]?NUMBER)
          |baseline(?:\s*\*\s*(?P<factor>NUMBER))?
                   (?:\s*(?P<sign>[-+])\s*(?P<margin>NUMBER))?)\s*""".replace(
        "NUMBER", r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
    ),
    re.VERBOSE,
)
_HELP = (
    "write metric[.statistic][probe|family|glob[@rung]] <= value, as in 'flip_rate<=0.05', or with "
    "a baseline 'flip_rate<=baseline+0.01' or '<=baseline*1.1'"
)


@dataclass(frozen=True)
class Gate:
    """A limit on a statistic of a metric over a part of the battery.

    Attributes:
        text: as the user wrote it.
        scope: a probe's or family's name or a glob; None for the whole.
        rung: an int counts rungs from 1, a float is a strength; None for the whole ladder.
        at_most: True for ``<=``, False for ``>=``.
        limit: the number; with a factor, what may be added to so many times the baseline.
        factor: how many times the baseline's value is taken; None without a baseline.
    """

    text: str
    metric: str
    statistic: str
    scope: str | None
    rung: float | int | None
    at_most: bool
    limit: float
    factor: float | None = None

    @property
    def needs_baseline(self) -> bool:
        """Whether nothing can be said of it without another audit."""
        return self.factor is not None or self.metric in CHANGES


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
    factor, limit = _limit(match)
    if factor is not None:
        _check_paired(text, match["metric"], statistic, factor, limit)
    return Gate(
        text=text.strip(),
        metric=match["metric"],
        statistic=statistic,
        scope=match["scope"],
        rung=_rung(match["rung"], text),
        at_most=match["operator"] == "<=",
        limit=limit,
        factor=factor,
    )


def _limit(match: re.Match[str]) -> tuple[float | None, float]:
    """The factor of the baseline, if it is named, and the number beside it."""
    if match["limit"] is not None:
        return None, float(match["limit"])
    return float(match["factor"] or 1), float(f"{match['sign'] or ''}{match['margin'] or 0}")


def _check_paired(text: str, metric: str, statistic: str, factor: float, margin: float) -> None:
    if metric in CHANGES:
        raise GateError(
            f"{text!r}: {metric} already counts what changed since the baseline; limit it by a "
            f"number, as '{metric}<=0.01'"
        )
    if statistic != "mean":
        raise GateError(
            f"{text!r}: only a mean can be held against a baseline, for the {statistic} of the "
            f"pictures' differences is not the difference of two {statistic}s; limit {metric}"
        )
    if not 0 < factor < math.inf:
        raise GateError(f"{text!r}: what the baseline is multiplied by must be above 0 and finite")
    if not math.isfinite(margin):
        raise GateError(f"{text!r}: what is added to the baseline must be finite")


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
