"""Input gradients along a ladder: of what the clean picture's class and label were."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from semaudit.gradients.differentiate import Differentiator
from semaudit.gradients.functionals import ClassLogit, Functional, Loss
from semaudit.layout import ALONG
from semaudit.metrics.views import View
from semaudit.probes import Probe


def has_gradients(probe: Probe) -> bool:
    """Whether gradients are taken along a probe's ladder."""
    return probe.family in ALONG or probe.name in ALONG


@dataclass(frozen=True)
class Slopes:
    """Looks at changed pictures and keeps the slopes of what the clean ones were.

    Attributes:
        differentiator: the classifier.
        logit: of the n clean top-1 classes.
        loss: of their labels, or None.
    """

    differentiator: Differentiator
    logit: ClassLogit
    loss: Loss | None

    @classmethod
    def of(cls, differentiator: Differentiator, clean: View, labels: Tensor | None) -> Slopes:
        """Fix the functionals at the clean view and the labels (n,), -1 for none."""
        return cls(differentiator, ClassLogit(clean.top_class), Loss.of(labels, clean))

    def look(self, images: Tensor, rows: Tensor, *, loss: bool) -> View:
        """See images of these rows (n,) of the batch, with their gradients.

        The gradient of the loss only where it is asked for: it costs a backward pass of its own.
        """
        functionals: list[Functional] = [self.logit.rows(rows)]
        if loss and self.loss is not None:
            functionals.append(self.loss.rows(rows))
        seen = self.differentiator(images, *functionals)
        gradient, *others = seen.gradients
        return replace(seen.view, gradient=gradient, loss_gradient=others[0] if others else None)
