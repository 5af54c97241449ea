"""The way of one picture: from a strength to the changed picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit import perturbations
from semaudit.gradients.algebra import column
from semaudit.metrics import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe
from semaudit.worst import Hunt, worst_frames


@dataclass(frozen=True)
class Way:
    """How a picture changes with the strength.

    Attributes:
        at: from strengths (k,) in [0, top] to pictures (k, c, h, w) in [0, 1].
        ladder: the rungs on it; the last is its end.
        rung_shifts: of a searched change, the shift at each rung of the probe, (K,); the way leads
            to the first that flips, or to the last, and the found changes of the others lie
            elsewhere. None where the rungs lie on the way.
    """

    at: Callable[[Tensor], Tensor]
    ladder: tuple[float, ...]
    rung_shifts: Tensor | None = None

    @property
    def top(self) -> float:
        """The strength at its end."""
        return self.ladder[-1]

    def bracket(self, flipped: Sequence[bool]) -> tuple[float, float] | None:
        """Between which strengths a scan looks for the onset, from whether each rung flips.

        From the rung before the first that flips; to a change that was looked for straight from
        the clean picture. None where no rung flips.
        """
        searched = self.rung_shifts is not None
        rungs = [len(self.ladder) - 1] if searched else range(len(self.ladder))
        first = next((k for k in rungs if flipped[k]), None)
        if first is None:
            return None
        before = 0.0 if searched or not first else self.ladder[first - 1]
        return before, self.ladder[first]


def way_of(classifier: Classifier, probe: Probe, clean: View, draw: Draw, hunt: Hunt) -> Way:
    """Return the way of one picture, whose clean view is given, under a probe."""
    if probe.searched:
        return _straight(classifier, probe, clean, draw, hunt)
    perturb = perturbations.get(probe.perturbation)

    def at(strengths: Tensor) -> Tensor:
        rows = torch.zeros(len(strengths), dtype=torch.int64, device=strengths.device)
        return perturb(clean.images[rows], strengths, draw.subset(rows))

    return Way(at, probe.ladder)


def _straight(classifier: Classifier, probe: Probe, clean: View, draw: Draw, hunt: Hunt) -> Way:
    """Straight to the first change found that flips the answer, or to the last one found."""
    shifts: list[Tensor] = []
    end, rungs = clean.images, 0
    for seen in worst_frames(classifier, probe, clean, draw, hunt):
        shifts.append(clean.shift_to(seen))
        flipped = bool((clean.flipped(seen.decision) > 0).all())
        if not rungs:
            end, rungs = seen.images, len(shifts) if flipped else 0
    ladder = probe.ladder[: rungs or None]

    def at(strengths: Tensor) -> Tensor:
        share = column(strengths / ladder[-1]).to(end)
        return torch.lerp(clean.images, end, share)

    return Way(at, ladder, torch.cat(shifts))
