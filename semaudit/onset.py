"""Finds the smallest strength at which an image flips, by bisection, many paths at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit import perturbations
from semaudit.look import look
from semaudit.metrics import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe

HALVINGS = 10
"""Each halves the bracket between two rungs: what is left is a thousandth of it."""


@dataclass(frozen=True)
class Flip:
    """One path on which an image flips: between which strengths."""

    probe: int
    image: int
    low: float
    high: float


def first_flips(flips: NDArray[np.bool_], probe: int, ladder: Sequence[float]) -> Iterator[Flip]:
    """Bracket the first flip of each image that has one; flips is (n, K)."""
    strengths = (0.0, *ladder)
    for image in np.flatnonzero(flips.any(axis=1)):
        rung = int(flips[image].argmax())
        yield Flip(probe, int(image), strengths[rung], strengths[rung + 1])


def find_onsets(
    classifier: Classifier,
    clean: View,
    found: Sequence[Flip],
    battery: Sequence[Probe],
    draws: Sequence[Draw],
) -> Tensor:
    """Return the onset strength of each flip in ``found``, (len(found),), to a thousandth.

    NaN where an output on the way was not finite. Paths of different probes share a batch, no
    larger than that of the images, and no result is read back in between (though a blur reads
    the strengths, for its kernel). Where an image flips back and forth along the path, the onset
    is that of one of its flips inside the first bracket.
    """
    size = len(clean.images)
    chunks = [found[start : start + size] for start in range(0, len(found), size)]
    onsets = [_bisect(classifier, clean, chunk, battery, draws) for chunk in chunks]
    return torch.cat(onsets) if onsets else clean.images.new_empty(0)


def _bisect(
    classifier: Classifier,
    view: View,
    flips: Sequence[Flip],
    battery: Sequence[Probe],
    draws: Sequence[Draw],
) -> Tensor:
    low = view.images.new_tensor([flip.low for flip in flips])
    high = view.images.new_tensor([flip.high for flip in flips])
    rows = torch.tensor([flip.image for flip in flips], device=view.images.device)
    groups: list[tuple[int, slice]] = []
    for probe, members in groupby(range(len(flips)), key=lambda index: flips[index].probe):
        indices = list(members)
        groups.append((probe, slice(indices[0], indices[-1] + 1)))
    parts = [(battery[probe], draws[probe].subset(rows[span]), span) for probe, span in groups]
    clean = view.rows(rows)
    finite = torch.ones_like(rows, dtype=torch.bool)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        perturbed = [
            perturbations.get(probe.perturbation)(clean.images[span], middle[span], draw)
            for probe, draw, span in parts
        ]
        seen = look(classifier, torch.cat(perturbed))
        flipped = clean.flipped(seen.decision) > 0
        low, high = middle.where(~flipped, low), middle.where(flipped, high)
        finite &= seen.logits.isfinite().all(-1)
    return high.where(finite, torch.full_like(high, float("nan")))
