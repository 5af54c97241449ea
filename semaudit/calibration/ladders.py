"""From stated levels of visibility to the strengths of a ladder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from scipy.optimize import brentq

from semaudit.calibration.meter import Distances, Meter
from semaudit.perturbations import get
from semaudit.probes import Probe

SSIM_LEVELS = (0.98, 0.95, 0.90, 0.80)
DISPLACEMENT_LEVELS = (0.0025, 0.005, 0.01, 0.02)
"""Fractions of the shorter side."""

By = Literal["ssim", "displacement"]


@dataclass(frozen=True)
class Proposal:
    """A ladder at stated levels of visibility.

    Attributes:
        probe: whose.
        by: what the levels are of.
        reached: by level, the strength at which the pictures have it; None where none does.
        ladder: what is proposed: rising strengths, to two significant digits.
        limited: whether the probe's own limit made the ladder smaller than the levels ask.
        now: the distances along the ladder that the probe has.
        proposed: the distances along the proposed one.
    """

    probe: Probe
    by: By
    reached: dict[float, float | None]
    ladder: tuple[float, ...]
    limited: bool
    now: tuple[Distances, ...]
    proposed: tuple[Distances, ...]


def propose(meter: Meter, probe: Probe) -> Proposal:
    """Measure a probe on the pictures and propose its ladder.

    Where a strength moves the points of a picture the levels are displacements, for SSIM counts
    a shift that no eye sees; everywhere else they are of SSIM. What moves by whole pixels has the
    levels before rounding: its strengths are displacements, and between pixels there are none.
    """
    draws = meter.draws(probe)
    perturb = get(probe.perturbation)
    highest = perturb.max_strength
    moves = meter.displacement(probe, probe.ladder[0], draws) is not None
    levels = DISPLACEMENT_LEVELS if moves else SSIM_LEVELS

    def beyond(strength: float) -> float:
        """Rises with the strength, whatever the levels are of."""
        if not moves:
            return -meter.ssim(probe, strength, draws)
        return meter.displacement(probe, strength, draws) or 0.0

    def at(level: float) -> float | None:
        if moves and perturb.stepwise:
            return level
        return strength_at(level if moves else -level, beyond, highest)

    reached = {level: at(level) for level in levels}
    ladder, limited = _ladder(list(reached.values()), highest, probe.limit or highest)
    return Proposal(
        probe=probe,
        by="displacement" if moves else "ssim",
        reached=reached,
        ladder=ladder,
        limited=limited,
        now=tuple(meter.distances(probe, strength, draws) for strength in probe.ladder),
        proposed=tuple(meter.distances(probe, strength, draws) for strength in ladder),
    )


def strength_at(level: float, beyond: Callable[[float], float], highest: float) -> float | None:
    """Return the strength in (0, highest] at which a rising figure reaches a level, or None.

    Where the figure jumps over the level, as a codec's does, the strength of the jump.
    """
    if beyond(highest) < level:
        return None
    least = highest * 1e-5
    if beyond(least) >= level:
        return least
    found: float = brentq(
        lambda strength: beyond(strength) - level, least, highest, xtol=least, rtol=1e-3
    )
    return found


def _ladder(
    strengths: Sequence[float | None], highest: float, limit: float
) -> tuple[tuple[float, ...], bool]:
    """Fill, shrink and round what the levels ask for; and whether they got less than that."""
    filled = _filled(strengths, highest)
    # Where the last rung is beyond the probe's limit the whole shrinks in proportion.
    kept = [each * min(1.0, limit / filled[-1]) for each in filled]
    rounded = tuple(min(float(f"{each:.2g}"), limit) for each in kept)
    # Two rungs that round to the same, as of a codec that jumps over a level, are one.
    rising = tuple(low for low, high in pairwise((*rounded, float("inf"))) if low < high)
    return rising, strengths[-1] is None or filled[-1] > limit


def _filled(strengths: Sequence[float | None], highest: float) -> list[float]:
    """The strengths, with even steps to the largest in place of those that no level is reached at.

    Visibility rises with the strength, so that it is the last levels that are out of reach.
    """
    reached = [each for each in strengths if each is not None]
    missing = len(strengths) - len(reached)
    start = reached[-1] if reached else 0.0
    steps = [start + (highest - start) * (step + 1) / missing for step in range(missing)]
    return [*reached, *steps]
