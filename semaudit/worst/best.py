"""The worst that a search has found so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semaudit.gradients.algebra import column
from semaudit.metrics.views import View


@dataclass(frozen=True)
class Best:
    """What made the largest shift of each picture so far, and that shift, (n,).

    Attributes:
        change: the changed pictures (n, c, h, w), or the parameters of the change (n, p, 1, 1).
    """

    change: Tensor
    shift: Tensor

    def rows(self, index: Tensor) -> Best:
        """Of some pictures."""
        return Best(self.change[index], self.shift[index])

    def with_rows(self, index: Tensor, found: Best) -> Best:
        """With others at the place of some."""
        return Best(
            self.change.index_copy(0, index, found.change),
            self.shift.index_copy(0, index, found.shift),
        )

    def or_better(self, change: Tensor, shift: Tensor) -> Best:
        """Keep the better of the two for each picture."""
        better = shift > self.shift
        return Best(
            torch.where(column(better), change, self.change),
            torch.where(better, shift, self.shift),
        )


def no_milder(clean: View, before: View, after: View) -> View:
    """The later of two views, but the earlier for each picture that it shifts more."""
    milder = clean.shift_to(after) < clean.shift_to(before)

    def chosen(one: Tensor, other: Tensor) -> Tensor:
        return torch.where(milder.view(-1, *(1 for _ in one.shape[1:])), one, other)

    features = None
    if before.features is not None and after.features is not None:
        features = chosen(before.features, after.features)
    return replace(
        after,
        images=chosen(before.images, after.images),
        logits=chosen(before.logits, after.logits),
        features=features,
    )
