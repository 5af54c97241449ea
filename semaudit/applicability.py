"""Which probes mean something for the pictures at hand: the others are left out, and it is said."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from semaudit.errors import ProbeError
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.perturbations import get
from semaudit.probes import Probe

GREY_SPREAD = 2 / 255
"""How far the channels of a grey pixel may differ, as lossy compression makes them."""


def applicable(
    battery: Sequence[Probe], channels: int, *, side: int | None = None, grey: bool = False
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the probes that mean something for the pictures at hand, and a note on the rest.

    Args:
        battery: the probes to choose from.
        channels: of the pictures, as the model takes them.
        side: their shorter side, in pixels; None leaves nothing out for it.
        grey: whether they show no colour although they have three channels.

    Raises:
        ProbeError: none but the noise floor means anything.
    """
    reasons = {probe: _unsuited(probe, channels, side, grey) for probe in battery}
    kept = tuple(probe for probe in battery if not reasons[probe])
    left_out: dict[str, list[str]] = {}
    for probe, reason in reasons.items():
        if reason:
            left_out.setdefault(reason, []).append(probe.name)
    notes = tuple(f"left out, for {why}: {', '.join(names)}" for why, names in left_out.items())
    if notes and all(probe.family == NOISE_FLOOR_FAMILY for probe in kept):
        raise ProbeError(f"the battery is empty: {'; '.join(notes)}")
    return kept, notes


def _unsuited(probe: Probe, channels: int, side: int | None, grey: bool) -> str:
    """Why a probe means nothing for such pictures, or an empty string."""
    perturb = get(probe.perturbation)
    if perturb.channels not in (None, channels):
        return f"they mean nothing for {channels} channel(s)"
    if grey and perturb.channels == 3:
        return "they mean nothing without colour, and the pictures are grey"
    if side is not None and side < perturb.smallest_side:
        return f"they mean nothing below {perturb.smallest_side} pixels a side ({side} here)"
    return ""


def all_grey(images: Tensor) -> bool:
    """Whether images (n, 3, h, w) in [0, 1] show no colour: nowhere more than `GREY_SPREAD`."""
    return bool((images.amax(1) - images.amin(1)).max() <= GREY_SPREAD)


def needs_colour(battery: Sequence[Probe]) -> bool:
    """Whether a probe of the battery means nothing for grey pictures."""
    return any(get(probe.perturbation).channels == 3 for probe in battery)
