"""Every probe at the one strength that makes it equally visible: ``--at-ssim``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from semaudit.calibration.ladders import strength_at
from semaudit.calibration.meter import Meter
from semaudit.errors import ProbeError
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.perturbations import get
from semaudit.probes import Probe

FILMS = "sequence"
"""The family and tag of films: what they ask is what happens from one frame to the next."""


def at_ssim(
    battery: Sequence[Probe],
    level: float,
    meter: Meter,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the battery with one rung a probe, where mean SSIM falls to a level, and notes.

    Probes that no strength takes so far, or that jump far past it, are left out, which a note
    says; and so are films, for one frame is none, and worst cases. ``step`` is told how many of
    how many probes have been measured.

    Raises:
        ProbeError: none but the noise floor is left.
    """
    films = [probe.name for probe in battery if probe.family == FILMS or FILMS in probe.tags]
    searched = [probe.name for probe in battery if probe.searched]
    rest = [probe for probe in battery if probe.name not in (*films, *searched)]
    kept: list[Probe] = []
    for done, probe in enumerate(rest):
        step(done, len(rest))
        kept += _equal(probe, level, meter)
    step(len(rest), len(rest))
    if all(probe.family == NOISE_FLOOR_FAMILY for probe in kept):
        besides = f"; films ({', '.join(films)}) have no one strength" if films else ""
        raise ProbeError(
            f"no probe of the battery takes the pictures to a mean SSIM of {level:g}{besides}"
        )
    notes = [
        f"every probe at the strength where the mean SSIM of {meter.count} pictures is "
        f"{level:g}: a comparison at equal visibility, not the ladders of the claims"
    ]
    out = [probe.name for probe in rest if probe.name not in {each.name for each in kept}]
    if out:
        said = "left out, for no strength within their limits has that SSIM"
        notes.append(f"{said}: {', '.join(out)}")
    if films:
        notes.append(f"left out, for a film of one frame is none: {', '.join(films)}")
    if searched:
        notes.append(f"left out, for what is searched for is seen by no one: {', '.join(searched)}")
    return tuple(kept), tuple(notes)


def _equal(probe: Probe, level: float, meter: Meter) -> list[Probe]:
    """The probe at its one strength, or nothing; the noise floor as it is."""
    if probe.family == NOISE_FLOOR_FAMILY:
        return [probe]
    strength = _strength(probe, level, meter)
    return [] if strength is None else [replace(probe, ladder=(strength,), quick_ladder=None)]


NEAR = 0.2
"""How far a jump may miss the level, as a share of its distance from 1."""


def _strength(probe: Probe, level: float, meter: Meter) -> float | None:
    draws = meter.draws(probe)
    highest = probe.limit or get(probe.perturbation).max_strength
    found = strength_at(-level, lambda each: -meter.ssim(probe, each, draws), highest)
    if found is None:
        return None
    # As four significant digits, which a report can show in full.
    strength = min(float(f"{found:.4g}"), highest)
    missed = abs(meter.ssim(probe, strength, draws) - level)
    return strength if missed <= NEAR * (1 - level) else None
