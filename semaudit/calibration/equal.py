"""Every probe at the one strength that makes it equally visible: ``--at-ssim``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from semaudit.calibration.ladders import strength_at
from semaudit.calibration.meter import Meter
from semaudit.errors import ProbeError
from semaudit.layout import ASIDE, NOISE_FLOOR_FAMILY
from semaudit.perturbations import get
from semaudit.probes import Probe


def at_ssim(
    battery: Sequence[Probe], level: float, meter: Meter
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the battery with one rung a probe, where mean SSIM falls to a level, and notes.

    Probes that no strength takes so far, or that jump far past it, are left out, which a note
    says.

    Raises:
        ProbeError: none but the noise floor is left.
    """
    found = [(probe, _strength(probe, level, meter)) for probe in battery]
    kept = tuple(
        probe if strength is None else replace(probe, ladder=(strength,), quick_ladder=None)
        for probe, strength in found
        if strength is not None or probe.family == NOISE_FLOOR_FAMILY
    )
    if all(probe.family == NOISE_FLOOR_FAMILY for probe in kept):
        raise ProbeError(f"no probe of the battery takes the pictures to a mean SSIM of {level:g}")
    notes = [
        f"every probe at the strength where the mean SSIM of {meter.count} pictures is "
        f"{level:g}: a comparison at equal visibility, not the ladders of the claims"
    ]
    out = [probe.name for probe in battery if probe.name not in {each.name for each in kept}]
    if out:
        said = "left out, for no strength within their limits has that SSIM"
        notes.append(f"{said}: {', '.join(out)}")
    return kept, tuple(notes)


NEAR = 0.2
"""How far a jump may miss the level, as a share of its distance from 1."""


def _strength(probe: Probe, level: float, meter: Meter) -> float | None:
    if probe.family in ASIDE:  # what is searched has no one visibility
        return None
    draws = meter.draws(probe)
    highest = probe.limit or get(probe.perturbation).max_strength
    found = strength_at(-level, lambda each: -meter.ssim(probe, each, draws), highest)
    if found is None:
        return None
    # As four significant digits, which a report can show in full.
    strength = min(float(f"{found:.4g}"), highest)
    missed = abs(meter.ssim(probe, strength, draws) - level)
    return strength if missed <= NEAR * (1 - level) else None
