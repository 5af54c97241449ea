"""All figures of a report under names of their own, and how far two sets of them lie apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from semaudit.report.document import Clean, Interval, Report
from semaudit.report.since import since

Figures = Mapping[str, float | None]

ABSOLUTE = 1e-6
"""What may lie between two small figures: the samples are float32."""


@dataclass(frozen=True)
class Difference:
    """A figure that is not the same twice; None where there is none."""

    name: str
    before: float | None
    after: float | None

    @property
    def relative(self) -> float:
        """How far apart, of the larger; without end where one of the two is not there."""
        if self.before is None or self.after is None:
            return math.inf
        return abs(self.after - self.before) / max(abs(self.before), abs(self.after))

    def within(self, tolerance: float) -> bool:
        """Whether the two may pass for the same, ``tolerance`` being a share of the larger."""
        if self.before is None or self.after is None:
            return False
        return math.isclose(self.before, self.after, rel_tol=tolerance, abs_tol=ABSOLUTE)


def figures(report: Report) -> dict[str, float | None]:
    """Score, clean figures, noise floor, estimates, curves and what changed since the baseline.

    Each with the ends of its interval.
    """
    return dict(_named(report))


def differences(before: Figures, after: Figures) -> list[Difference]:
    """The figures that are not equal to the last bit, the largest relative difference first."""
    names = dict.fromkeys((*before, *after))
    pairs = (Difference(name, before.get(name), after.get(name)) for name in names)
    return sorted((each for each in pairs if each.before != each.after), key=lambda d: -d.relative)


def _named(report: Report) -> Iterator[tuple[str, float | None]]:
    yield from _interval("score", report.score)
    yield from _interval("noise_floor", report.noise_floor)
    for name in Clean.model_fields:
        figure = getattr(report.clean, name)
        if isinstance(figure, Interval):
            yield from _interval(f"clean {name}", figure)
    for estimate in report.estimates:
        where = "" if estimate.scope == "all" else f"[{estimate.name}]"
        yield from _interval(f"{estimate.metric}.{estimate.statistic}{where}", estimate)
    for curve in report.curves:
        for rung, strength in enumerate(curve.strengths):
            at = f"[{curve.probe}@{strength:g}]"
            yield from _interval(f"shift{at}", curve.shift[rung])
            if curve.flip_rate is not None:
                yield from _interval(f"flip_rate{at}", curve.flip_rate[rung])
            yield f"ssim{at}", curve.ssim[rung]
            yield f"input_rms{at}", curve.input_rms[rung]
    for each in since(report.baseline) if report.baseline is not None else ():
        yield from _interval(each.key, each.interval)
        if each.moved is not None:
            yield f"{each.key}, now", each.moved.now
            yield f"{each.key}, baseline", each.moved.baseline


def _interval(name: str, each: Interval | None) -> Iterator[tuple[str, float | None]]:
    if each is not None:
        yield name, each.value
        yield f"{name}, low", each.low
        yield f"{name}, high", each.high
        yield f"{name}, n", each.n
