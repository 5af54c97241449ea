"""Finds the smallest strength at which an image flips, many paths at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit import perturbations
from semaudit.crossing import Seen, crossing
from semaudit.look import look
from semaudit.metrics import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe


@dataclass(frozen=True)
class Flip:
    """One path on which an image flips: between which rungs, the clean image being the 0th."""

    probe: int
    image: int
    rung: int


def first_flips(flips: NDArray[np.bool_], probe: int) -> Iterator[Flip]:
    """Find the first flip of each image that has one, and the rung before it; flips is (n, K)."""
    for image in np.flatnonzero(flips.any(axis=1)):
        yield Flip(probe, int(image), int(flips[image].argmax()))


def find_onsets(
    classifier: Classifier,
    clean: View,
    found: Sequence[Flip],
    battery: Sequence[Probe],
    draws: Sequence[Draw],
    leads: Sequence[Tensor],
) -> Tensor:
    """Return the onset strength of each flip in ``found``, (len(found),).

    To a thousandth of the bracket. NaN where an output on the way was not finite. Paths of
    different probes share a batch, no larger than that of the images. Where an image flips back
    and forth along the path, the onset is that of one of its flips inside the first bracket.

    Args:
        classifier: what is audited.
        clean: the view of the unperturbed images.
        found: grouped by probe.
        battery: the probes.
        draws: of each probe.
        leads: of each probe, `Trace.leads`.
    """
    if not found:
        return clean.images.new_empty(0)
    strengths = [(0.0, *battery[flip.probe].ladder)[flip.rung : flip.rung + 2] for flip in found]
    low, high = clean.images.new_tensor(strengths).unbind(1)
    starts = np.cumsum([0, *(lead.shape[1] for lead in leads)])
    columns = torch.tensor([int(starts[flip.probe]) + flip.rung for flip in found])
    rungs = torch.stack([columns, columns + 1]).to(low.device)
    images = torch.tensor([flip.image for flip in found], device=low.device)
    before, after = torch.cat(tuple(leads), 1)[images, rungs]

    def at(shares: Tensor, which: Tensor) -> Tensor:
        return torch.lerp(low[which], high[which], shares.to(low))

    def see(rows: Tensor, shares: Tensor) -> Seen:
        strengths, paths = at(shares, rows), [found[row] for row in rows.tolist()]
        size = len(clean.images)
        spans = [slice(start, start + size) for start in range(0, len(paths), size)]
        parts = [
            _seen(classifier, clean, paths[span], strengths[span], battery, draws) for span in spans
        ]
        changed, margins = zip(*parts, strict=True)
        return torch.cat(changed), torch.cat(margins)

    return at(crossing(before, after, see), torch.arange(len(found), device=low.device))


def _seen(
    classifier: Classifier,
    view: View,
    flips: Sequence[Flip],
    strengths: Tensor,
    battery: Sequence[Probe],
    draws: Sequence[Draw],
) -> Seen:
    """Look at each path at one strength, (m,): whether it has flipped, and the clean one's lead."""
    rows = torch.tensor([flip.image for flip in flips], device=view.images.device)
    clean = view.rows(rows)
    perturbed = []
    for probe, members in groupby(range(len(flips)), key=lambda index: flips[index].probe):
        indices = list(members)
        span = slice(indices[0], indices[-1] + 1)
        perturb = perturbations.get(battery[probe].perturbation)
        draw = draws[probe].subset(rows[span])
        perturbed.append(perturb(clean.images[span], strengths[span], draw))
    seen = look(classifier, torch.cat(perturbed))
    finite = seen.logits.isfinite().all(-1)
    lead = clean.lead_in(seen)
    return clean.flipped(seen.decision) > 0, lead.where(finite, torch.full_like(lead, torch.nan))
