"""How steep the answer is at a picture, and how far the decision boundary then lies."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import l1, l2
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point

_LOSS_L1 = at_picture(
    "loss_gradient_l1", "Sum of sizes of the loss's input gradient, nats per full scale of L-inf."
)
_LOSS_L2 = at_picture(
    "loss_gradient_l2", "Euclidean norm of the loss's input gradient, nats per unit of L2."
)


@measure(
    at_picture(
        "gradient_l1", "Sum of sizes of the input gradient, logits per full scale of L-infinity."
    ),
    at_picture("gradient_l2", "Euclidean norm of the input gradient, logits per unit of L2."),
    _LOSS_L1,
    _LOSS_L2,
)
def gradient_norms(point: Point) -> dict[str, Tensor]:
    """Norms of the input gradient of the clean class's logit, and of the loss.

    The L1 norm is by how much the worst change of L-infinity size 1 would move a linear model, the
    L2 norm by how much the worst of Euclidean length 1 would.
    """
    columns = {"gradient_l1": l1(point.gradient), "gradient_l2": l2(point.gradient)}
    loss = point.gradient.new_zeros(point.gradient.shape[:1]).double()
    both = point.loss_gradient
    columns["loss_gradient_l1"] = point.labelled_only(loss if both is None else l1(both))
    columns["loss_gradient_l2"] = point.labelled_only(loss if both is None else l2(both))
    return columns


@measure(
    at_picture(
        "boundary_l2",
        "First-order Euclidean distance to the decision boundary: margin / gradient's L2 norm.",
    ),
    at_picture(
        "boundary_linf",
        "First-order L-infinity distance to the decision boundary: margin / gradient's L1 norm.",
    ),
)
def boundary_distance(point: Point) -> dict[str, Tensor]:
    """How far the boundary to the runner-up would be, were the model linear.

    DeepFool's first step (Moosavi-Dezfooli et al. 2016): margin over the dual norm of its gradient.
    In units of full scale; NaN where the margin has no slope.
    """
    return {
        "boundary_l2": _ratio(point.margin, l2(point.margin_gradient)),
        "boundary_linf": _ratio(point.margin, l1(point.margin_gradient)),
    }


def _ratio(margin: Tensor, slope: Tensor) -> Tensor:
    known = (slope > 0) & slope.isfinite()
    return (margin / slope.where(known, torch.ones_like(slope))).masked_fill(~known, float("nan"))
