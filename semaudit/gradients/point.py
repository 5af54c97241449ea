"""Where a classifier is differentiated: clean pictures, what is differentiated, what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semaudit.gradients.differentiate import Differentiator, pull_back
from semaudit.gradients.functionals import ClassLogit, Functional, Loss, Margin
from semaudit.metrics.views import View
from semaudit.perturbations import Draw


@dataclass(frozen=True, eq=False)
class Point:
    """A batch of n clean pictures, and the slopes of the classifier at them.

    Attributes:
        differentiator: the classifier.
        view: the clean pictures and their outputs in this batch.
        logit: the clean class's logit.
        loss: of the labels; None where no picture has one.
        draw: the random numbers of these pictures.
        samples: how many random numbers an estimate takes: projections, directions, draws.
        gradient: of the logit, (n, c, h, w).
        loss_gradient: of the loss; None where there is none.
        margin: the margin, (n,) logits.
        margin_gradient: of the margin.
        graph: the logits with their graph, and its root; None once it is gone.
    """

    differentiator: Differentiator
    view: View
    logit: ClassLogit
    loss: Loss | None
    draw: Draw
    samples: int
    gradient: Tensor
    loss_gradient: Tensor | None
    margin: Tensor
    margin_gradient: Tensor
    graph: tuple[Tensor, Tensor] | None = None

    @property
    def images(self) -> Tensor:
        """(n, c, h, w) in [0, 1]."""
        return self.view.images

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, h, w)."""
        return tuple(self.images.shape[1:])

    @property
    def functionals(self) -> tuple[Functional, ...]:
        """The logit and, where there are labels, the loss."""
        return (self.logit,) if self.loss is None else (self.logit, self.loss)

    @property
    def gradients(self) -> tuple[Tensor, ...]:
        """Those of `functionals`."""
        loss = self.loss_gradient
        return (self.gradient,) if loss is None else (self.gradient, loss)

    def pulled(self, weights: Tensor) -> Tensor:
        """J^T u for weights u (n, classes): (n, c, h, w); only while the graph is there."""
        if self.graph is None:
            raise RuntimeError("the graph of this point is gone")
        logits, root = self.graph
        with torch.enable_grad():
            (gradient,) = pull_back([(logits * weights).sum(1)], root, keep=True)
        return gradient

    def normal(self, stream: int) -> Tensor:
        """Standard normal numbers in the shape and the dtype of the pictures."""
        return self._afresh.normal(*self.shape, stream=stream).to(self.images)

    def uniform(self, stream: int) -> Tensor:
        """Numbers uniform in [0, 1), likewise."""
        return self._afresh.uniform(*self.shape, stream=stream).to(self.images)

    @property
    def _afresh(self) -> Draw:
        # A draw keeps what it was asked for; each of these fields is wanted once.
        return Draw(self.draw.keys)

    def named(self, name: str, values: Sequence[Tensor]) -> dict[str, Tensor]:
        """Columns of what was measured, (n,) each, of every one of `functionals`.

        That of the loss is NaN where a picture has no label.
        """
        missing = torch.full_like(values[0], float("nan"))
        of_loss = missing
        if self.loss is not None:
            of_loss = torch.where(self.loss.labels < 0, missing, values[1])
        return {name: values[0], f"loss_{name}": of_loss}


@contextmanager
def standing(
    differentiator: Differentiator, clean: View, labels: Tensor | None, draw: Draw, samples: int
) -> Iterator[Point]:
    """Yield the point at clean pictures, with the graph of one forward pass, shared by all.

    Args:
        differentiator: pictures must be apart, or there must be only one.
        clean: their view; gradients that it has are taken over.
        labels: (n,), -1 for none; or None.
        draw: their random numbers.
        samples: how many an estimate takes.
    """
    activation = clean.activation
    logit = ClassLogit(clean.top_class)
    loss = Loss.of(labels, clean)
    with differentiator.graph(clean.images) as (view, root):
        margin = Margin.of(view.logits.detach(), activation)
        functionals: list[Functional] = [margin]
        if clean.gradient is None:
            functionals += [logit, *([] if loss is None else [loss])]
        values = [functional(view.logits) for functional in functionals]
        margin_gradient, *gradients = pull_back(values, root, keep=True)
        if clean.gradient is not None:
            gradients = [g for g in (clean.gradient, clean.loss_gradient) if g is not None]
        point = Point(
            differentiator=differentiator,
            # Not the logits of the batch: those of the pass that is differentiated.
            view=replace(clean, logits=view.logits.detach()),
            logit=logit,
            loss=loss,
            draw=draw,
            samples=samples,
            gradient=gradients[0],
            loss_gradient=None if loss is None else gradients[1],
            margin=values[0].detach(),
            margin_gradient=margin_gradient,
            graph=(view.logits, root),
        )
        del values, view
        yield point


def without_graph(point: Point) -> Point:
    """The point, which no longer keeps the activations of its forward pass."""
    return replace(point, graph=None)
