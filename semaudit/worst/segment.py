"""Where on the straight way to a found change the answer flips."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.crossing import Seen, crossing
from semaudit.gradients.algebra import column
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier


class FirstFlips:
    """Keeps, of each of n pictures, the first change found that flips it."""

    def __init__(self, clean: View) -> None:
        self._clean = clean
        self._images = clean.images
        self._lead = clean.lead_in(clean)
        self._strength = clean.logits.new_zeros(len(clean.images))

    def see(self, current: View, strength: float) -> None:
        """Take the next rung in."""
        new = (self._clean.flipped(current.decision) > 0) & (self._strength == 0)
        self._images = torch.where(column(new), current.images, self._images)
        self._lead = torch.where(new, self._clean.lead_in(current), self._lead)
        self._strength = torch.where(new, strength, self._strength)

    def onsets(self, classifier: Classifier) -> Tensor:
        """The strength at which each picture flips on the way to it, (n,); NaN if none does.

        An upper bound of the smallest strength that flips it: another way may be shorter.
        """
        onsets = torch.full_like(self._strength, float("nan"))
        flipped = (self._strength > 0).nonzero()[:, 0]
        if not len(flipped):
            return onsets
        clean, ends = self._clean.rows(flipped), self._images[flipped]

        def see(rows: Tensor, shares: Tensor) -> Seen:
            start = clean.rows(rows)
            images = torch.lerp(start.images, ends[rows], column(shares).to(ends))
            seen = look(classifier, images)
            return start.flipped(seen.decision) > 0, start.lead_in(seen)

        shares = crossing(clean.lead_in(clean), self._lead[flipped], see)
        return onsets.index_copy(0, flipped, shares * self._strength[flipped])
