"""The size of the Jacobian of the logits by the picture, never built."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.gradients.algebra import column, l2, per_rms, sound, unit
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point

ITERATIONS = 2
"""Of the power iteration; its residual tells how far it got."""

DIFFERENCE_RMS = 1e-3
"""Size of the steps of the estimate without gradients, fraction of full scale."""

NAN = float("nan")

_FROBENIUS = at_picture(
    "jacobian_frobenius",
    "Frobenius norm of the Jacobian of the logits, by random projection; logits per unit of L2.",
    needs_classes=False,
)
_ERROR = at_picture(
    "jacobian_frobenius_se",
    "Standard error of jacobian_frobenius that its projections make.",
    needs_classes=False,
)


@measure(_FROBENIUS, _ERROR, on_graph=True)
def jacobian_frobenius(point: Point) -> dict[str, Tensor]:
    """Root of C times the mean of |J^T v|^2 over unit vectors v (Hoffman, Roberts, Yaida 2019).

    Unbiased for the square. Its standard error is that of the mean of the projections, carried
    over to the root by the delta method; NaN for a single projection. Both are NaN where no
    projection has a slope, or one is not finite.
    """
    classes = point.view.logits.shape[1]
    squares = [
        classes * l2(point.pulled(_on_sphere(point, classes, stream))).square()
        for stream in range(point.samples)
    ]
    return _root_mean(torch.stack(squares, 1))


def frobenius_by_differences(point: Point) -> dict[str, Tensor]:
    """The same without gradients: root of d times the mean of |J v|^2 over unit vectors v.

    J v by central differences, exact to the square of the step, which may leave [0, 1].
    """
    step = per_rms(DIFFERENCE_RMS, point.images)
    size = math.prod(point.shape)
    squares: list[Tensor] = []
    for stream in range(point.samples):
        direction = step * unit(point.normal(stream))
        ends = [
            point.differentiator.classifier(point.images + sign * direction).logits
            for sign in (1, -1)
        ]
        along = (ends[0].to(point.view.logits) - ends[1].to(point.view.logits)) / (2 * step)
        squares.append(size * along.square().sum(1))
    return _root_mean(torch.stack(squares, 1))


@measure(
    at_picture(
        "jacobian_spectral",
        "Largest singular value of the Jacobian of the logits, by power iteration.",
        needs_classes=False,
    ),
    at_picture(
        "jacobian_spectral_residual",
        "|J^T u - s v| / s after the power iteration: 0 where jacobian_spectral is exact.",
        needs_classes=False,
    ),
    on_graph=True,
)
def jacobian_spectral(point: Point) -> dict[str, Tensor]:
    """The largest stretch |J v| of a unit change of the picture, from below.

    Power iteration u <- J v / |J v|, v <- J^T u / |J^T u|, from a random projection of the logits.
    The residual of the last pair bounds the distance to a singular value, relative to it. NaN where
    nothing slopes, and where the model has no second derivative to be had.
    """
    return spectral(point, ITERATIONS)


def spectral(point: Point, iterations: int) -> dict[str, Tensor]:
    """`jacobian_spectral` after so many iterations."""
    missing = torch.full_like(point.view.logits[:, 0], NAN)
    if point.differentiator.directional is None:
        return {"jacobian_spectral": missing, "jacobian_spectral_residual": missing}
    direction = unit(point.pulled(_on_sphere(point, point.view.logits.shape[1], stream=0)))
    value, residual = missing, missing
    for _ in range(iterations):
        along = point.differentiator.along(point.images, direction).to(point.view.logits)
        value = along.square().sum(1).sqrt()
        weights = along / value.where(value > 0, torch.ones_like(value))[:, None]
        back = point.pulled(weights)
        # What was measured belongs to the pair (u, v) before v moves on.
        residual = l2(back - column(value).to(back) * direction) / value
        direction = unit(back)
    return {
        "jacobian_spectral": sound(value, value),
        "jacobian_spectral_residual": sound(residual, value),
    }


def _on_sphere(point: Point, classes: int, stream: int) -> Tensor:
    """Weights of the logits, uniform on the unit sphere: (n, classes)."""
    normal = point.draw.normal(classes, 1, 1, stream=1000 + stream)
    return unit(normal).flatten(1).to(point.view.logits)


def _root_mean(squares: Tensor) -> dict[str, Tensor]:
    """The root of the mean of squares (n, N), and its standard error; NaN where it is 0."""
    count = squares.shape[1]
    root = squares.mean(1).sqrt()
    error = squares.std(1) / math.sqrt(count) if count > 1 else torch.full_like(root, NAN)
    return {
        _FROBENIUS.column: sound(root, root),
        _ERROR.column: sound(error / (2 * root), root),
    }
