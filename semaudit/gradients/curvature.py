"""How fast the input gradient turns around a picture: curvature, and the error of a tangent."""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.gradients.algebra import column, inner, l2, per_rms, unit
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point

STEP_RMS = 1 / 255
"""Length of the step, as the root mean square of the change of the picture: one level of 255."""

RADIUS = 2 / 255
"""L-infinity radius of the ball in which the tangent is tested."""

STEPS = 3
"""Of the ascent that looks for the largest error of the tangent."""

DIRECTIONS = 2
"""How many random directions the curvature is averaged over, of at least as many samples."""


@measure(
    at_picture(
        "curvature_gradient", "|g(x + h u) - g(x)| / h along the gradient; logits per unit of L2^2."
    ),
    at_picture("curvature_random", "The same along random directions, their mean."),
    at_picture("loss_curvature_gradient", "Curvature of the loss along its own gradient."),
    at_picture("loss_curvature_random", "Curvature of the loss along random directions."),
)
def curvature(point: Point) -> dict[str, Tensor]:
    """By how much the gradient changes along a unit direction u: |g(x + h u) - g(x)| / h.

    Moosavi-Dezfooli et al. 2019, "Robustness via curvature regularization": a finite step h sees
    what a second derivative of a piecewise linear network cannot. The step may leave [0, 1].
    """
    along = [_bend(point, unit(gradient), which=k) for k, gradient in enumerate(point.gradients)]
    count = min(DIRECTIONS, point.samples)
    random = [
        _bends(point, unit(point.draw.normal(*point.shape, stream=stream)).to(point.images))
        for stream in range(count)
    ]
    means = [torch.stack(bends).mean(0) for bends in zip(*random, strict=True)]
    missing = torch.full_like(along[0], float("nan"))
    loss_along, loss_random = (along[1], means[1]) if point.loss else (missing, missing)
    return {
        "curvature_gradient": along[0],
        "curvature_random": means[0],
        "loss_curvature_gradient": point.labelled_only(loss_along),
        "loss_curvature_random": point.labelled_only(loss_random),
    }


def _bends(point: Point, direction: Tensor) -> list[Tensor]:
    """Of each functional, the curvature along a unit direction, (n,)."""
    step = per_rms(STEP_RMS, point.images)
    there = point.differentiator(point.images + step * direction, *point.functionals)
    return [
        l2(after - before) / step
        for after, before in zip(there.gradients, point.gradients, strict=True)
    ]


def _bend(point: Point, direction: Tensor, which: int) -> Tensor:
    """Of one functional, the curvature along a unit direction, (n,)."""
    step = per_rms(STEP_RMS, point.images)
    there = point.differentiator(point.images + step * direction, point.functionals[which])
    return l2(there.gradients[0] - point.gradients[which]) / step


@measure(
    at_picture(
        "linearity_error",
        "Largest |f(x + e) - f(x) - e . g(x)| found in an L-infinity ball of 2/255; logits.",
    ),
    at_picture("loss_linearity_error", "The same of the loss; nats."),
)
def local_linearity(point: Point) -> dict[str, Tensor]:
    """How wrong the tangent is in a small ball: the largest error that an ascent finds.

    Qin et al. 2019, "Adversarial robustness through local linearization". A lower bound of the
    maximum: projected sign steps from a drawn vertex of half the ball, best value kept.
    """
    errors = [tangent_error(point, which, RADIUS, STEPS) for which in range(len(point.functionals))]
    missing = torch.full_like(errors[0], float("nan"))
    return {
        "linearity_error": errors[0],
        "loss_linearity_error": point.labelled_only(errors[1] if point.loss else missing),
    }


def tangent_error(point: Point, which: int, radius: float, steps: int) -> Tensor:
    """The largest error of the tangent of one functional in a ball, (n,)."""
    functional, gradient = point.functionals[which], point.gradients[which]
    with torch.no_grad():
        value = functional(point.view.logits)
    sign = point.draw.uniform(*point.shape, stream=2000).sub(0.5).sign().to(point.images)
    change, best = sign * (radius / 2), torch.zeros_like(value)
    for k in range(steps):
        there = point.differentiator(point.images + change, functional)
        error = there.values[0] - value - inner(change, gradient)
        best = torch.maximum(best, error.abs())
        uphill = (there.gradients[0] - gradient) * column(error.sign()).to(gradient)
        change = (change + radius / (k + 1) * uphill.sign()).clamp(-radius, radius)
    return best
