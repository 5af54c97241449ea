"""The generic change: primitives, composed and mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit.finetuning.primitives import add_band, bend_colours, displace, mix_neighbours
from semaudit.perturbations import Draw

PRIMITIVES = (displace, mix_neighbours, bend_colours, add_band)


REACH = (0.02, 0.35, 0.12, 0.08)
"""The largest strength of each of `PRIMITIVES` unless told otherwise, and always in validation."""


@dataclass(frozen=True)
class Generic:
    """A random few of the primitives, one after another, faded into the clean picture.

    Each primitive is taken with probability `chance`, at a strength even between 0 and its largest
    one. What comes out is mixed with the clean picture, as in AugMix (Hendrycks et al. 2020): the
    share of the changed one is 1 - u**2, u even in [0, 1): mostly large.

    Attributes:
        reach: the largest strength of each of `PRIMITIVES`.
        chance: that one is taken.
        mixing: whether the result is mixed with the clean picture.
    """

    reach: Sequence[float] = REACH
    chance: float = 0.6
    mixing: bool = True

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        """Return changed pictures (n, c, h, w) in [0, 1]."""
        picks = draw.uniform(2, len(PRIMITIVES) + 1, 1, 1, 1)
        changed = images
        for index, (primitive, reach) in enumerate(zip(PRIMITIVES, self.reach, strict=True)):
            taken = (picks[:, 0, index] < self.chance).float()
            changed = primitive(changed, taken * picks[:, 1, index] * reach, draw)
        if not self.mixing:
            return changed
        return torch.lerp(images, changed, 1 - picks[:, 0, -1].square())
