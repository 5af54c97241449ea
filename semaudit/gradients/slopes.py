"""How steep the answer is at a picture, and how far the decision boundary then lies."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import l1, l2, sound
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point


@measure(
    at_picture(
        "gradient_l1", "Sum of sizes of the input gradient, logits per full scale of L-infinity."
    ),
    at_picture("gradient_l2", "Euclidean norm of the input gradient, logits per unit of L2."),
    at_picture(
        "loss_gradient_l1",
        "Sum of sizes of the loss's input gradient, nats per full scale of L-inf.",
    ),
    at_picture(
        "loss_gradient_l2", "Euclidean norm of the loss's input gradient, nats per unit of L2."
    ),
)
def gradient_norms(point: Point) -> dict[str, Tensor]:
    """Norms of the input gradient of the clean class's logit, and of the loss.

    The L1 norm is by how much the worst change of L-infinity size 1 would move a linear model, the
    L2 norm by how much the worst of Euclidean length 1 would. NaN where the gradient is 0 or not
    finite.
    """
    sums = [l1(gradient) for gradient in point.gradients]
    lengths = [l2(gradient) for gradient in point.gradients]
    return {
        **point.named("gradient_l1", [sound(norm, norm) for norm in sums]),
        **point.named("gradient_l2", [sound(norm, norm) for norm in lengths]),
    }


@measure(
    at_picture(
        "boundary_l2",
        "First-order L2 distance to the boundary with the runner-up: margin / gradient's L2 norm.",
    ),
    at_picture(
        "boundary_linf",
        "First-order L-inf distance to the boundary with the runner-up: margin / L1 norm.",
    ),
)
def boundary_distance(point: Point) -> dict[str, Tensor]:
    """How far the boundary with the runner-up would be, were the model linear.

    DeepFool's first step (Moosavi-Dezfooli et al. 2016) for one rival: the margin, in logits, over
    the dual norm of its gradient. In units of full scale; low is worse. NaN where the margin has no
    slope.
    """
    return {
        "boundary_l2": _ratio(point.margin, l2(point.margin_gradient)),
        "boundary_linf": _ratio(point.margin, l1(point.margin_gradient)),
    }


def _ratio(margin: Tensor, slope: Tensor) -> Tensor:
    return sound(margin / slope.where(slope > 0, torch.ones_like(slope)), slope)
