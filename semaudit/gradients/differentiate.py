"""Input gradients, exact for each picture: the one place where a backward pass starts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.attention import SDPBackend, sdpa_kernel

from semaudit.gradients.affine import affine_where_slow
from semaudit.gradients.functionals import Functional
from semaudit.metrics.pixels import precise
from semaudit.metrics.views import View
from semaudit.models import Classifier


@dataclass(frozen=True)
class Derived:
    """A view of n pictures, and what m functionals of its logits are and how they slope.

    Attributes:
        view: without a graph; of the whole batch, also where pictures are not apart.
        values: (n,) each.
        gradients: (n, c, h, w) each, with respect to the pictures, in their dtype.
    """

    view: View
    values: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]


@dataclass(frozen=True)
class Differentiator:
    """Differentiates a classifier by its pictures.

    Attributes:
        classifier: it must be differentiable.
        apart: whether the logits of one picture depend on that picture alone. Where they do not, as
            under batch statistics, the pictures go one by one: the gradient of a sum is each
            picture's own only where no picture moves another's logits.
        directional: how derivatives along a direction are had; None: not at all.
    """

    classifier: Classifier
    apart: bool = True
    directional: Literal["forward", "double backward"] | None = "forward"

    def __call__(self, images: Tensor, *functionals: Functional) -> Derived:
        """Look at images (n, c, h, w), and differentiate functionals of what is seen.

        Not within `torch.inference_mode`, whose tensors take no part in a gradient.
        """
        if self.apart or len(images) == 1:
            return self._at_once(images, functionals)
        rows = torch.arange(len(images), device=images.device).chunk(len(images))
        parts = [self._at_once(images[k], [each.rows(k) for each in functionals]) for k in rows]
        values, gradients = (
            tuple(torch.cat(column) for column in zip(*each, strict=True))
            for each in ([part.values for part in parts], [part.gradients for part in parts])
        )
        # What the classifier says of a picture is what it says in its batch, as anywhere else.
        return Derived(self._view(images), values, gradients)

    def values(self, images: Tensor, *functionals: Functional) -> tuple[Tensor, ...]:
        """What the functionals are, (n,) each, without a derivative: one forward pass."""
        view = self._view(images)
        return tuple(functional(view.logits) for functional in functionals)

    def _view(self, images: Tensor) -> View:
        with torch.no_grad(), affine_where_slow(self.classifier):
            outputs = self.classifier(images)
        logits = outputs.logits.to(precise(images.device))
        return _bare(View(images, logits, outputs.features, self.classifier.activation), images)

    def _at_once(self, images: Tensor, functionals: Sequence[Functional]) -> Derived:
        with self.graph(images) as (view, pictures):
            values = [functional(view.logits) for functional in functionals]
            gradients = pull_back(values, pictures)
        return Derived(
            _bare(view, images), tuple(value.detach() for value in values), tuple(gradients)
        )

    @contextmanager
    def graph(self, images: Tensor) -> Iterator[tuple[View, Tensor]]:
        """Yield a view whose logits carry a graph, and the pictures at the graph's root."""
        with torch.enable_grad(), affine_where_slow(self.classifier):
            pictures = images.clone().detach().requires_grad_()
            outputs = self.classifier(pictures)
            logits = outputs.logits.to(precise(images.device))
            yield View(pictures, logits, outputs.features, self.classifier.activation), pictures

    def along(self, images: Tensor, direction: Tensor) -> Tensor:
        """J v: the derivative of the logits along a direction (n, c, h, w), (n, classes).

        J is the Jacobian of the logits by the picture.
        """
        if not self.apart and len(images) > 1:
            pairs = zip(images.chunk(len(images)), direction.chunk(len(images)), strict=True)
            return torch.cat([self.along(*pair) for pair in pairs])
        # The fused attentions have no forward mode, nor a second derivative.
        with sdpa_kernel(SDPBackend.MATH), affine_where_slow(self.classifier):
            if self.directional == "forward":
                return _forward_derivative(self.classifier, images, direction)
            return _double_backward(self.classifier, images, direction)


def pull_back(values: Sequence[Tensor], pictures: Tensor, *, keep: bool = False) -> list[Tensor]:
    """Gradients of each of the values (n,), summed, by the pictures at the root of their graph.

    The graph lives on if `keep`. Where no path leads back to the pictures the gradient is 0.
    """
    last = len(values) - 1
    found: list[Tensor] = []
    for k, value in enumerate(values):
        if not value.requires_grad:  # an integer stage cuts the graph
            found.append(torch.zeros_like(pictures))
            continue
        (gradient,) = torch.autograd.grad(
            value.sum(), pictures, retain_graph=keep or k < last, allow_unused=True
        )
        found.append(torch.zeros_like(pictures) if gradient is None else gradient)
    return found


def _forward_derivative(classifier: Classifier, images: Tensor, direction: Tensor) -> Tensor:
    with torch.no_grad(), forward_ad.dual_level():
        with warnings.catch_warnings():
            # The first dual of a process loads what torch itself still scripts.
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            dual = forward_ad.make_dual(images, direction)  # type: ignore[no-untyped-call]
        logits = classifier(dual).logits
        unpacked = forward_ad.unpack_dual(logits)  # type: ignore[no-untyped-call]
        tangent: Tensor | None = unpacked.tangent
        return torch.zeros_like(logits) if tangent is None else tangent.clone()


def _double_backward(classifier: Classifier, images: Tensor, direction: Tensor) -> Tensor:
    """J v as the gradient, by u, of v . (J^T u), which is linear in u."""
    with torch.enable_grad():
        pictures = images.detach().requires_grad_()
        logits = classifier(pictures).logits
        weights = torch.zeros_like(logits, requires_grad=True)
        (back,) = torch.autograd.grad(logits, pictures, weights, create_graph=True)
        (along,) = torch.autograd.grad(back, weights, direction)
        return along.detach()


def _bare(view: View, images: Tensor) -> View:
    """The view without its graph, of the pictures that were given."""
    features = None if view.features is None else view.features.detach().to(view.logits.dtype)
    return replace(view, images=images, logits=view.logits.detach(), features=features)
