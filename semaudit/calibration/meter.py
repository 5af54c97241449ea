"""How far a perturbation changes a set of pictures, at one strength."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from semaudit.calibration.gmsd import gmsd
from semaudit.metrics.ssim import Reference, mean_ssim, reference
from semaudit.perturbations import Draw, get
from semaudit.perturbations.geometric import displacement
from semaudit.probes import Probe

PART = 16
"""Pictures that are measured at a time."""


@dataclass(frozen=True)
class Distances:
    """How far the pictures are from the clean ones: means over the pictures.

    Attributes:
        strength: of the perturbation.
        ssim: structural similarity, 1 where equal.
        rms: root mean square of the change, fraction of full scale.
        linf: largest change of a value, fraction of full scale.
        gmsd: gradient magnitude similarity deviation, 0 where equal.
        displacement: root mean square over the picture of how far its points moved, fraction of
            the shorter side; None for a perturbation that moves none.
    """

    strength: float
    ssim: float
    rms: float
    linf: float
    gmsd: float
    displacement: float | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the pictures, (n, c, h, w) in [0, 1], and their names."""

    images: Tensor
    image_ids: tuple[str, ...]

    @cached_property
    def reference(self) -> Reference:
        """What SSIM needs of the clean side."""
        return reference(self.images)


@dataclass(frozen=True, eq=False)
class Meter:
    """Measures probes on the same pictures, under the draws that a scan with this seed has."""

    parts: tuple[Part, ...]
    seed: int = 0

    @classmethod
    def of(cls, images: Tensor, image_ids: Sequence[str], seed: int = 0) -> Meter:
        """Return the meter for images (n, c, h, w) in [0, 1]."""
        cuts = range(0, len(images), PART)
        parts = [Part(images[at : at + PART], tuple(image_ids[at : at + PART])) for at in cuts]
        return cls(tuple(parts), seed)

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return sum(len(part.images) for part in self.parts)

    def draws(self, probe: Probe) -> tuple[Draw, ...]:
        """The draws of the pictures under a probe, part by part; keep them for a whole ladder."""
        device = self.parts[0].images.device
        return tuple(Draw.of(self.seed, probe.name, part.image_ids, device) for part in self.parts)

    def ssim(self, probe: Probe, strength: float, draws: Sequence[Draw]) -> float:
        """Mean SSIM of the pictures under a probe at a strength."""
        perturb = get(probe.perturbation)
        with torch.inference_mode():
            found = [
                mean_ssim(part.reference, perturb(part.images, strength, draw))
                for part, draw in zip(self.parts, draws, strict=True)
            ]
        return float(torch.cat(found).mean())

    def displacement(self, probe: Probe, strength: float, draws: Sequence[Draw]) -> float | None:
        """Mean displacement of the pictures' points, or None where the probe moves none."""
        with torch.inference_mode():
            found = [
                displacement(probe.perturbation, part.images, strength, draw)
                for part, draw in zip(self.parts, draws, strict=True)
            ]
        moved = [each for each in found if each is not None]
        return float(torch.cat(moved).mean()) if moved else None

    def distances(self, probe: Probe, strength: float, draws: Sequence[Draw]) -> Distances:
        """Every distance of the pictures under a probe at a strength."""
        perturb = get(probe.perturbation)
        rows: list[Tensor] = []
        with torch.inference_mode():
            for part, draw in zip(self.parts, draws, strict=True):
                changed = perturb(part.images, strength, draw)
                change = (changed - part.images).flatten(1)
                rows.append(
                    torch.stack(
                        (
                            mean_ssim(part.reference, changed),
                            change.square().mean(1).sqrt(),
                            change.abs().amax(1),
                            gmsd(part.images, changed),
                        ),
                        dim=1,
                    )
                )
        ssim, rms, linf, deviation = torch.cat(rows).double().mean(0).tolist()
        moved = self.displacement(probe, strength, draws)
        return Distances(strength, ssim, rms, linf, deviation, moved)


ROUNDS = 3


def milliseconds(meter: Meter, probe: Probe) -> float:
    """Time to change one picture at a probe's last rung, its draw made before: the best of three.

    Wall clock on this machine, of batches of at most `PART`.
    """
    perturb, draws = get(probe.perturbation), meter.draws(probe)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(1 + ROUNDS):  # the first makes the draws' fields
            started = time.perf_counter()
            for part, draw in zip(meter.parts, draws, strict=True):
                perturb(part.images, probe.ladder[-1], draw)
            _synchronise(meter.parts[0].images.device)
            best = min(best, time.perf_counter() - started)
    return best * 1000 / meter.count


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
