"""What a search climbs: one number a picture that is large where the answer moved."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from semaudit.metrics.views import View
from semaudit.worst.effort import Objective


@dataclass(frozen=True)
class Climb:
    """An objective at clean pictures: a functional for `semaudit.gradients`."""

    clean: View
    kind: Objective

    def __call__(self, logits: Tensor) -> Tensor:
        """Return (n,). Embeddings have neither classes nor probabilities: of them, the shift."""
        kind = "jsd" if self.clean.activation == "none" else self.kind
        return _OBJECTIVES[kind](self.clean, replace(self.clean, logits=logits))

    @property
    def opening(self) -> Climb:
        """The objective of the first steps: divergences are flat at the clean output itself."""
        if self.clean.activation == "none" or self.kind == "margin":
            return self
        return replace(self, kind="overlap")

    def rows(self, index: Tensor) -> Climb:
        """The objective of some of the pictures."""
        return replace(self, clean=self.clean.rows(index))


def _divergence(clean: View, current: View) -> Tensor:
    """KL(p | p') in bits, the mean over labels; it grows without end where JSD stays below 1."""
    before, after = clean.distributions, current.distributions
    return (before.exp() * (before - after)).sum(-1).mean(-1) / math.log(2)


def _overlap(clean: View, current: View) -> Tensor:
    """-log of the chance that one draw from each output agrees, the mean over labels.

    Climbing it leaves all that the clean output holds likely. The JSD is content with the runner-up
    and then hardly slopes towards anything else: its climb ends at 0.80 where this one's ends at
    0.99, on the demo network at 2/255.
    """
    return -(clean.distributions + current.distributions).logsumexp(-1).mean(-1)


def _margin(clean: View, current: View) -> Tensor:
    """The best other class's logit less the clean class's; of labels, the nearest crossing of 0."""
    return -clean.lead_in(current)


_OBJECTIVES: dict[Objective, Callable[[View, View], Tensor]] = {
    "jsd": View.shift_to,
    "kl": _divergence,
    "margin": _margin,
    "overlap": _overlap,
}
