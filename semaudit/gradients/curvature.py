"""How fast the input gradient turns around a picture: curvature, and the error of a tangent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semaudit.gradients.algebra import column, inner, l2, per_rms, sound, unit
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point

STEP_RMS = 1 / 255
"""Length of the step, as the root mean square of the change of the picture: one level of 255."""

RADIUS = 2 / 255
"""L-infinity radius of the ball in which the tangent is tested."""

STEPS = 3
"""Points that the ascent to the largest error of the tangent visits."""

DIRECTIONS = 2
"""Random directions that the curvature is averaged over; fewer where fewer samples are asked."""


@measure(
    at_picture(
        "curvature_gradient", "|g(x + h u) - g(x)| / h along the gradient; logits per L2^2."
    ),
    at_picture("curvature_random", "The same along random directions, their mean."),
    at_picture("loss_curvature_gradient", "Curvature of the loss along its own gradient."),
    at_picture("loss_curvature_random", "Curvature of the loss along random directions."),
)
def curvature(point: Point) -> dict[str, Tensor]:
    """By how much the gradient changes along a unit direction u: |g(x + h u) - g(x)| / h.

    Moosavi-Dezfooli et al. 2019, "Robustness via curvature regularization": a finite step h sees
    what a second derivative of a piecewise linear network cannot. The step may leave [0, 1]: a
    clipped one would have another direction. NaN where the gradient at the picture is 0 or not
    finite.
    """
    lengths = [l2(gradient) for gradient in point.gradients]
    along = [
        bends(point, unit(gradient), [which])[0] for which, gradient in enumerate(point.gradients)
    ]
    everything = range(len(lengths))
    drawn = [
        bends(point, unit(point.normal(stream)), everything)
        for stream in range(min(DIRECTIONS, point.samples))
    ]
    means = [torch.stack(each).mean(0) for each in zip(*drawn, strict=True)]
    return {
        **point.named("curvature_gradient", list(map(sound, along, lengths))),
        **point.named("curvature_random", list(map(sound, means, lengths))),
    }


def bends(point: Point, direction: Tensor, which: Sequence[int]) -> list[Tensor]:
    """Of some of the functionals, the curvature along a unit direction, (n,) each."""
    step = per_rms(STEP_RMS, point.images)
    there = point.differentiator(
        point.images + step * direction, *(point.functionals[k] for k in which)
    )
    return [
        l2(after - point.gradients[k]) / step
        for k, after in zip(which, there.gradients, strict=True)
    ]


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
    maximum: projected sign steps from a drawn vertex of half the ball, best value kept. The ball is
    not cut to [0, 1]. NaN where the gradient at the picture is 0 or not finite.
    """
    errors = [
        sound(tangent_error(point, which, RADIUS, STEPS), l2(gradient))
        for which, gradient in enumerate(point.gradients)
    ]
    return point.named("linearity_error", errors)


def tangent_error(point: Point, which: int, radius: float, steps: int) -> Tensor:
    """The largest error of the tangent of one functional in a ball, (n,), at `steps` points."""
    functional, gradient = point.functionals[which], point.gradients[which]
    value = functional(point.view.logits)
    change = point.uniform(2000).sub(0.5).sign() * (radius / 2)
    best = torch.zeros_like(value)
    for _ in range(1, steps):
        there = point.differentiator(point.images + change, functional)
        error = there.values[0] - value - inner(change, gradient)
        best = torch.maximum(best, error.abs())
        uphill = (there.gradients[0] - gradient) * column(error.sign()).to(gradient)
        change = (change + radius * uphill.sign()).clamp(-radius, radius)
    # Where the last step led asks for the value alone.
    (last,) = point.differentiator.values(point.images + change, functional)
    return torch.maximum(best, (last - value - inner(change, gradient)).abs())
