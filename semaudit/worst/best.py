"""The worst that a search has found so far."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit.gradients.algebra import column


@dataclass(frozen=True)
class Best:
    """The changed pictures with the largest shift so far, (n, c, h, w), and that shift, (n,)."""

    images: Tensor
    shift: Tensor

    def or_better(self, images: Tensor, shift: Tensor) -> Best:
        """Keep the better of the two for each picture."""
        better = shift > self.shift
        return Best(
            torch.where(column(better), images, self.images),
            torch.where(better, shift, self.shift),
        )

    def placed(self, rows: Tensor, found: Best) -> Best:
        """What was found of some rows, in the place of what they were, where it is better."""
        inner = Best(self.images[rows], self.shift[rows]).or_better(found.images, found.shift)
        return Best(
            self.images.index_copy(0, rows, inner.images),
            self.shift.index_copy(0, rows, inner.shift),
        )
