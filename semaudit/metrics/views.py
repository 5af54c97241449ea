"""What a metric sees: a batch of images with its outputs, a rung, a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from semaudit import divergence
from semaudit.metric import Activation
from semaudit.metrics.moves import Moved, moved
from semaudit.metrics.pixels import length, over_pixels
from semaudit.metrics.ssim import Reference, reference

if TYPE_CHECKING:
    from semaudit.taxonomy import Taxonomy


@dataclass(frozen=True)
class View:
    """A batch of images and what the classifier put out for it.

    Attributes:
        images: (n, c, h, w) in [0, 1].
        logits: (n, classes), in the precise dtype; of a model without classes, the embeddings.
        features: (n, d) or None where the model shows none.
        activation: what the logits mean. Softmax: one class of them holds. Sigmoid: each is a
            label that holds or not. None: they are an embedding.
        taxonomy: how far apart in meaning the classes are, where that was asked for; of a rung,
            the clean view's counts.
        gradient: input gradient of the clean class's logit, (n, c, h, w); None where none was
            taken.
        loss_gradient: of the loss of the labels; all 0 for a picture without one.
    """

    images: Tensor
    logits: Tensor
    features: Tensor | None
    activation: Activation = "softmax"
    taxonomy: Taxonomy | None = None
    gradient: Tensor | None = None
    loss_gradient: Tensor | None = None

    @cached_property
    def log_probabilities(self) -> Tensor:
        """Natural log of the probability of each class or label, (n, classes)."""
        return F.logsigmoid(self.logits) if self.activation == "sigmoid" else self._log_softmax

    @cached_property
    def probabilities(self) -> Tensor:
        """The probability of each class or label, (n, classes)."""
        return self.log_probabilities.exp()

    @cached_property
    def _log_softmax(self) -> Tensor:
        return self.logits.log_softmax(-1)

    @cached_property
    def distributions(self) -> Tensor:
        """Natural logs of g independent distributions of k outcomes, (n, g, k).

        Softmax: one of all classes. Sigmoid: one a label, of yes and no.
        """
        if self.activation == "sigmoid":
            return torch.stack([self.log_probabilities, F.logsigmoid(-self.logits)], -1)
        return self._log_softmax[:, None]

    @cached_property
    def scores(self) -> Tensor:
        """The logits less what the output does not depend on, (n, classes).

        Softmax does not see what is common to all; labels and embeddings see everything.
        """
        return divergence.centred(self.logits) if self.activation == "softmax" else self.logits

    @cached_property
    def directions(self) -> Tensor:
        """The embeddings at length 1, (n, d)."""
        return divergence.unit(self.logits)

    def shift_to(self, other: View) -> Tensor:
        """Semantic shift between two outputs, (n,) in [0, 1]; its square root is a metric.

        The Jensen-Shannon divergence in bits, its mean over labels; of embeddings (1 - cos) / 2,
        a quarter of the squared chord between them on the unit sphere.
        """
        if self.activation == "none":
            return (self.directions - other.directions).square().sum(-1).div(4).clamp(0, 1)
        return divergence.jensen_shannon(self.distributions, other.distributions).mean(-1)

    @cached_property
    def top_class(self) -> Tensor:
        """Index of the largest logit, (n,); the lowest index where several are equal.

        Zero throughout for embeddings, which name no class.
        """
        top = self.logits.argmax(-1)
        return torch.zeros_like(top) if self.activation == "none" else top

    @cached_property
    def decision(self) -> Tensor:
        """What the output decides for: (n, 1) the top class, or (n, labels) which labels hold."""
        return self.logits > 0 if self.activation == "sigmoid" else self.top_class[:, None]

    def flipped(self, decision: Tensor) -> Tensor:
        """(n,) 1 where another decision differs from this view's, else 0; NaN for embeddings."""
        if self.activation == "none":
            return self.not_applicable
        return (self.decision != decision).any(-1).to(self.logits.dtype)

    def lead_in(self, other: View) -> Tensor:
        """By how much this view's decision leads in another's logits, (n,); below 0 it has flipped.

        The clean class's logit less the best other one's; of labels, that of the nearest crossing
        of 0.
        """
        if self.activation == "sigmoid":
            return (self.logits.sign() * other.logits).amin(-1)
        top = self.top_class[:, None]
        others = other.logits.scatter(1, top, float("-inf"))
        return other.logits.gather(1, top)[:, 0] - others.amax(-1)

    @cached_property
    def not_applicable(self) -> Tensor:
        """(n,) NaN: what a metric returns that this kind of output does not have."""
        return torch.full_like(self.logits[:, 0], float("nan"))

    def rows(self, index: Tensor) -> View:
        """The view of some of the images, by a tensor of their indices."""
        return replace(
            self,
            images=self.images[index],
            logits=self.logits[index],
            features=_rows(self.features, index),
            gradient=_rows(self.gradient, index),
            loss_gradient=_rows(self.loss_gradient, index),
        )

    @cached_property
    def ranking(self) -> Tensor:
        """The five first classes, best first, (n, min(5, classes)); ties by index.

        Five times the best that is left: sorting a thousand classes takes four times as long, and
        topk breaks ties as it likes.
        """
        left = self.logits.clone()
        first: list[Tensor] = []
        for _ in range(min(5, left.shape[1])):
            first.append(left.argmax(-1, keepdim=True))
            left.scatter_(1, first[-1], float("-inf"))
        return torch.cat(first, 1)

    @cached_property
    def reference(self) -> Reference:
        """What SSIM needs of the clean side, computed once for all probes."""
        return reference(self.images)


def _rows(tensor: Tensor | None, index: Tensor) -> Tensor | None:
    return None if tensor is None else tensor[index]


def joined(views: Sequence[View]) -> View:
    """One view of the pictures of several, in their order; they have the same parts."""

    def together(tensors: Sequence[Tensor | None]) -> Tensor | None:
        there = [tensor for tensor in tensors if tensor is not None]
        return torch.cat(there) if there else None

    return replace(
        views[0],
        images=torch.cat([view.images for view in views]),
        logits=torch.cat([view.logits for view in views]),
        features=together([view.features for view in views]),
        gradient=together([view.gradient for view in views]),
        loss_gradient=together([view.loss_gradient for view in views]),
    )


@dataclass(frozen=True)
class Rung:
    """One rung of one probe: the clean view and the perturbed one."""

    clean: View
    current: View

    @cached_property
    def difference(self) -> Tensor:
        """Perturbed less clean images, (n, c * h * w)."""
        return (self.current.images - self.clean.images).flatten(1)

    @cached_property
    def distance(self) -> Tensor:
        """L2 length of the difference, (n,)."""
        return over_pixels(length, self.difference)

    @cached_property
    def gradient_moved(self) -> Moved | None:
        """How the input gradient moved; None where none was taken."""
        return moved(self.clean.gradient, self.current.gradient)

    @cached_property
    def loss_gradient_moved(self) -> Moved | None:
        """How that of the loss did."""
        return moved(self.clean.loss_gradient, self.current.loss_gradient)


@dataclass(frozen=True)
class Path:
    """What the output did along one probe's ladder of K rungs.

    Attributes:
        strengths: (K,) rising.
        shift: JSD against the clean output, (n, K).
        distance: sqrt(JSD) between neighbouring rungs, the clean image first, (n, K).
        input_step: RMS between the images of neighbouring rungs, (n, K).
        flips: 1 where the decision differs between neighbouring rungs, else 0, (n, K); NaN for
            embeddings.
        top5: top-5 distance between neighbouring rungs, (n, K); NaN for embeddings.
    """

    strengths: Tensor
    shift: Tensor
    distance: Tensor
    input_step: Tensor
    flips: Tensor
    top5: Tensor
