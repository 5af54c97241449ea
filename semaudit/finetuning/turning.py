"""A penalty on the gradient turn: what the answer hangs on should stay what it is.

The turn along a ladder of a scan, 1 - cos of the input gradients of the clean class's logit,
between a picture and a changed form whose points stay where they were: a gradient that moves with
its picture has turned without a fault of the model. Unlike the size of a gradient, a turn is not
made small by fainter answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from semaudit import divergence
from semaudit.finetuning.generic import Generic
from semaudit.gradients.affine import affine_where_slow
from semaudit.look import look
from semaudit.models import Classifier
from semaudit.perturbations import Draw

SHARE = 0.25
"""Of the pictures of an update: second derivatives cost several passes."""

_PICKS = 2000
"""The stream of which pictures are taken; no change draws from it."""


@dataclass(frozen=True)
class Turning:
    """Measures the turn of a few pictures, with a graph.

    Attributes:
        generic: the changes of training; of them, those that displace nothing are taken.
    """

    generic: Generic

    def __call__(self, student: Classifier, images: Tensor, draw: Draw) -> Tensor:
        """1 - cos of the gradients at images (n, c, h, w) and their changed forms, (n,).

        Which pictures are taken depends on their draws alone, as all that is random. They count by
        1 / `SHARE`, and the others are 0: the expected mean is that of all.
        """
        rows = (draw.uniform(1, stream=_PICKS)[:, 0] < SHARE).nonzero()[:, 0]
        turns = torch.zeros(len(images), dtype=torch.float64, device=images.device)
        if not len(rows):
            return turns
        pictures = images.detach()[rows]
        still = replace(self.generic, reach=(0.0, *self.generic.reach[1:]))
        with torch.no_grad():
            changed = still(pictures, draw.subset(rows))
        found = _turns(student, pictures, changed) / SHARE
        return turns.index_copy(0, rows, found.to(turns))


def _turns(student: Classifier, clean: Tensor, changed: Tensor) -> Tensor:
    pictures = torch.cat([clean, changed]).requires_grad_()
    # The fused attentions have no second derivative.
    with sdpa_kernel(SDPBackend.MATH), affine_where_slow(student):
        logits = look(student, pictures).logits
        top = logits[: len(clean)].argmax(-1).repeat(2)
        named = logits.gather(1, top[:, None]).sum()
        (slopes,) = torch.autograd.grad(named, pictures, create_graph=True)
    before, after = slopes.flatten(1).split(len(clean))  # type: ignore[no-untyped-call]
    return divergence.cosine_distance(before, after)
