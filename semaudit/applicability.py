"""Which probes mean something for the pictures at hand: the others are left out, and it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from semaudit.errors import ProbeError
from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.perturbations import get
from semaudit.probes import Probe

GREY_SPREAD = 2 / 255
"""How far the channels of a grey pixel may differ, as lossy compression makes them."""


@dataclass(frozen=True)
class Looked:
    """How many pictures in three channels were looked at for colour, and how many show none."""

    pictures: int
    grey: int

    @property
    def all_grey(self) -> bool:
        """Whether none shows any colour; not where none was looked at."""
        return 0 < self.pictures == self.grey

    def __str__(self) -> str:
        if self.pictures == self.grey == 1:
            return "the one picture that was looked at is grey"
        which = "all" if self.all_grey else f"{self.grey} of"
        return f"{which} {self.pictures} pictures that were looked at are grey"


UNSEEN = Looked(0, 0)


def applicable(
    battery: Sequence[Probe], channels: int, *, side: int | None = None, colour: Looked = UNSEEN
) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the probes that mean something for the pictures at hand, and a note on the rest.

    Args:
        battery: the probes to choose from.
        channels: of the pictures, as the model takes them.
        side: their shorter side, in pixels; None leaves nothing out for it.
        colour: which of them show colour; where only some do, probes of colour are kept, and the
            share is noted.

    Raises:
        ProbeError: none but the noise floor means anything.
    """
    reasons = {probe: _unsuited(probe, channels, side, colour) for probe in battery}
    kept = tuple(probe for probe in battery if not reasons[probe])
    left_out: dict[str, list[str]] = {}
    for probe, reason in reasons.items():
        if reason:
            left_out.setdefault(reason, []).append(probe.name)
    notes = tuple(f"left out, for {why}: {', '.join(names)}" for why, names in left_out.items())
    if notes and all(probe.family == NOISE_FLOOR_FAMILY for probe in kept):
        raise ProbeError(f"the battery is empty: {'; '.join(notes)}")
    some = [probe.name for probe in kept if get(probe.perturbation).channels == 3]
    if colour.grey and some:
        notes += (
            f"{colour}, of which claims on colour mean little; they count with the others under "
            f"{', '.join(some)}",
        )
    return kept, notes


def _unsuited(probe: Probe, channels: int, side: int | None, colour: Looked) -> str:
    """Why a probe means nothing for such pictures, or an empty string."""
    perturb = get(probe.perturbation)
    if perturb.channels not in (None, channels):
        return f"they mean nothing for {channels} channel(s)"
    if colour.all_grey and perturb.channels == 3:
        return f"they mean nothing without colour, and {colour}"
    if side is not None and side < perturb.smallest_side:
        return f"they mean nothing below {perturb.smallest_side} pixels a side ({side} here)"
    return ""


def count_grey(images: Tensor) -> int:
    """How many of images (n, 3, h, w) in [0, 1] show no colour: nowhere over `GREY_SPREAD`."""
    spread = images.amax(1) - images.amin(1)
    return int((spread.flatten(1).amax(1) <= GREY_SPREAD).sum())


def needs_colour(battery: Sequence[Probe]) -> bool:
    """Whether a probe of the battery means nothing for grey pictures."""
    return any(get(probe.perturbation).channels == 3 for probe in battery)
