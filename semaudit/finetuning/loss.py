"""The loss: ``task + alpha * DS(f(x), f(P(x)))`` (Wu et al. 2020, arXiv 2011.09789)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from semaudit.divergence import kullback_leibler
from semaudit.finetuning.distances import DISTANCES, Distance
from semaudit.metrics.views import View

TERMS = ("cross_entropy", "anchor", "shift", "gradient", "turn")


@dataclass(frozen=True)
class Objective:
    """What a step descends.

    Attributes:
        alpha: weight of the continuity term.
        distance: DS, a name in `DISTANCES`.
        cross_entropy: weight of the labels' cross-entropy.
        anchor: weight of the divergence from the original model's output on the clean picture.
        gradient: weight of the squared input gradient.
        turn: weight of the gradient turn.
        detach_clean: whether the continuity term leaves the clean output alone, and only pulls the
            changed one to it.
        on_changed: whether the task is set on changed pictures too: augmentation.
    """

    alpha: float = 1.0
    distance: Distance = "jsd"
    cross_entropy: float = 0.0
    anchor: float = 1.0
    gradient: float = 0.0
    turn: float = 0.0
    detach_clean: bool = False
    on_changed: bool = False

    @property
    def needs_labels(self) -> bool:
        """Whether pictures must be labelled."""
        return self.cross_entropy > 0

    @property
    def needs_views(self) -> bool:
        """Whether changed pictures are looked at."""
        return self.alpha > 0 or self.on_changed


@dataclass(frozen=True)
class Terms:
    """The parts of a loss, each (n,) and not yet weighted."""

    cross_entropy: Tensor
    anchor: Tensor
    shift: Tensor
    gradient: Tensor
    turn: Tensor

    def total(self, objective: Objective) -> Tensor:
        """The weighted sum, (n,)."""
        return (
            objective.cross_entropy * self.cross_entropy
            + objective.anchor * self.anchor
            + objective.alpha * self.shift
            + objective.gradient * self.gradient
            + objective.turn * self.turn
        )

    def sums(self) -> Tensor:
        """The sum over pictures of each part, in the order of `TERMS`, (5,), without a graph."""
        return torch.stack([getattr(self, name).detach().sum() for name in TERMS])


def terms(
    objective: Objective,
    clean: View,
    views: Sequence[View],
    original: View | None,
    labels: Tensor,
    turn: Tensor | None = None,
) -> Terms:
    """Take the parts of the loss of n pictures.

    Args:
        objective: what is descended.
        clean: the student on the clean pictures; where the input gradient is penalised, these are
            at the root of its graph.
        views: on changed forms of them; may be none.
        original: the original model on the clean pictures, where it is an anchor.
        labels: (n,) output indices, -1 for none, which has no cross-entropy.
        turn: (n,) of the input gradient, see `semaudit.finetuning.turning`.
    """
    zero = clean.logits.new_zeros(len(clean.logits))
    tasked = (clean, *views) if objective.on_changed else (clean,)
    return Terms(
        cross_entropy=_mean([_cross_entropy(view, labels) for view in tasked])
        if objective.cross_entropy
        else zero,
        anchor=_mean([_anchor(original, view) for view in tasked])
        if original is not None and objective.anchor
        else zero,
        shift=_shift(objective, clean, views) if views and objective.alpha else zero,
        gradient=_gradient(clean) if objective.gradient else zero,
        turn=zero if turn is None else turn.to(zero),
    )


def _shift(objective: Objective, clean: View, views: Sequence[View]) -> Tensor:
    if objective.detach_clean:
        features = None if clean.features is None else clean.features.detach()
        clean = replace(clean, logits=clean.logits.detach(), features=features)
    return DISTANCES[objective.distance](clean, views)


def _cross_entropy(view: View, labels: Tensor) -> Tensor:
    """In nats, as everywhere in training; the anchor and DS are in bits. 0 where there is no label.

    Of labels that each hold or not, the one given holds and nothing is said of the others.
    """
    known = labels >= 0
    loss = F.nll_loss(view.log_probabilities, labels.clamp_min(0), reduction="none")
    return loss * known


def _anchor(original: View, view: View) -> Tensor:
    """KL(original || student) in bits, the mean over labels; of embeddings the shift."""
    if view.activation == "none":
        return original.shift_to(view)
    return kullback_leibler(original.distributions, view.distributions).mean(-1)


def _gradient(clean: View) -> Tensor:
    """|d log p(top class) / dx|**2, (n,): how steep the answer is (Drucker and Le Cun 1992).

    Not of the loss itself, as there, whose gradient is 0 where an anchor is met.
    """
    values = clean.logits if clean.activation == "none" else clean.log_probabilities
    top = values.gather(1, clean.top_class[:, None]).sum()
    (slope,) = torch.autograd.grad(top, clean.images, create_graph=True)
    return slope.flatten(1).square().sum(1).to(clean.logits.dtype)


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean(0)
