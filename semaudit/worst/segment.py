"""Where on the straight way to a found change the answer flips."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import column
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.onset import HALVINGS


class FirstFlips:
    """Keeps, of each of n pictures, the first change found that flips it."""

    def __init__(self, clean: View) -> None:
        self._clean = clean
        self._images = clean.images
        self._strength = clean.logits.new_zeros(len(clean.images))

    def see(self, current: View, strength: float) -> None:
        """Take the next rung in."""
        new = (self._clean.flipped(current.decision) > 0) & (self._strength == 0)
        self._images = torch.where(column(new), current.images, self._images)
        self._strength = torch.where(new, strength, self._strength)

    def onsets(self, classifier: Classifier) -> Tensor:
        """The strength at which each picture flips on the way to it, (n,); NaN if none does.

        An upper bound of the smallest strength that flips it: another way may be shorter.
        """
        share = torch.full_like(self._strength, float("nan"))
        rows = (self._strength > 0).nonzero()[:, 0]
        if not len(rows):
            return share
        clean, ends = self._clean.rows(rows), self._images[rows]
        low, high = share.new_zeros(len(rows)), share.new_ones(len(rows))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            images = torch.lerp(clean.images, ends, column(middle).to(ends))
            flipped = clean.flipped(look(classifier, images).decision) > 0
            low, high = middle.where(~flipped, low), middle.where(flipped, high)
        return share.index_copy(0, rows, high * self._strength[rows])
