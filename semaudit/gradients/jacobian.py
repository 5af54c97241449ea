"""The size of the Jacobian of the logits by the picture, never built."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.gradients.algebra import column, inner, l2, per_rms, sound, unit
from semaudit.gradients.measures import at_picture, measure
from semaudit.gradients.point import Point
from semaudit.metric import CONVERGED

MORE_STEPS = 3
"""Steps towards the spectral norm, beyond the number of samples."""

LEAST_STEPS = 4
"""Steps that are taken whatever the residual: a search can seem to end at a smaller value."""

NOTHING = 1e-6
"""A share of a direction that is rounding."""

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
        "Largest singular value of the Jacobian of the logits, from below, by Lanczos steps.",
        needs_classes=False,
    ),
    at_picture(
        "jacobian_spectral_residual",
        "|J v - s u| / s, or what the last step added: converged where it is 0.05 or less.",
        needs_classes=False,
    ),
    on_graph=True,
)
def jacobian_spectral(point: Point) -> dict[str, Tensor]:
    """The largest stretch |J v| of a unit change of the picture: a lower bound of it.

    Golub-Kahan-Lanczos with full reorthogonalisation, from a random projection of the logits: the
    largest |J^T u| of all u in the span so far, which J v extends. It goes on until
    the residual is at most `CONVERGED`, or for three steps more than samples are asked for. The
    residual bounds the distance to a singular value, relative to it, and is no smaller than the
    share that the last step added. NaN where nothing slopes, and where no derivative along a
    direction is to be had.
    """
    return spectral(point, point.samples + MORE_STEPS)


def spectral(point: Point, steps: int, tolerance: float = CONVERGED) -> dict[str, Tensor]:
    """`jacobian_spectral` after at most so many steps; pictures that converged take no more."""
    logits = point.view.logits
    value = residual = torch.full_like(logits[:, 0], NAN)
    if point.differentiator.directional is not None:
        span = _Span(logits)
        # Not from the top class, which is often nearly a singular vector of a smaller value: on the
        # demo network the search then stayed at 0.83 of the largest, with a residual of 0.03.
        drawn = span.beside(_on_sphere(point, logits.shape[1], stream=0))
        span.add(drawn, point.pulled(drawn))
        rows = torch.arange(len(logits), device=logits.device)
        for step in range(steps):
            before, (value, left, right) = value, span.largest()
            along = point.differentiator.along(point.images[rows], right[rows]).to(logits)
            missed = (along - value[rows, None] * left[rows]).norm(dim=1) / value[rows]
            # At a smaller singular value nothing is missed until another step leads away from it.
            grown = 1 - before[rows].nan_to_num(0.0) / value[rows]
            missed = torch.maximum(missed, grown)
            residual = residual.index_copy(0, rows, missed)
            # Not a number is over, too.
            going = missed > tolerance
            if step == steps - 1:
                break
            if step + 1 >= LEAST_STEPS:
                rows = rows[going]
                along = along[going]
            if not len(rows):
                break
            further = torch.zeros_like(logits).index_copy(0, rows, along)
            further = span.beside(further)
            span.add(further, point.pulled(further))
    return {
        "jacobian_spectral": sound(value, value),
        "jacobian_spectral_residual": sound(residual, value),
    }


class _Span:
    """Orthonormal weights u of the logits, a picture, and J^T u of each."""

    def __init__(self, logits: Tensor) -> None:
        self._weights = logits.new_zeros(len(logits), 0, logits.shape[1])
        self._gram = logits.new_zeros(len(logits), 0, 0)
        self._pulled: list[Tensor] = []

    def beside(self, weights: Tensor) -> Tensor:
        """What of weights (n, classes) lies outside the span, at length 1; 0 where nothing does."""
        rest = self._outside(weights)
        there = rest.norm(dim=1, keepdim=True) > NOTHING * weights.norm(dim=1, keepdim=True)
        for _ in range(2):  # what rounding left of the span counts more once the rest is stretched
            size = rest.norm(dim=1, keepdim=True)
            rest = self._outside(rest / size.where(there, torch.ones_like(size)))
        return torch.where(there, rest / rest.norm(dim=1, keepdim=True), 0)

    def _outside(self, weights: Tensor) -> Tensor:
        inside = torch.einsum("nkc,nc->nk", self._weights, weights)
        return weights - torch.einsum("nkc,nk->nc", self._weights, inside)

    def add(self, weights: Tensor, pulled: Tensor) -> None:
        """Take in weights (n, classes), from `beside`, and what they are pulled back to."""
        self._weights = torch.cat([self._weights, weights[:, None]], 1)
        self._pulled.append(pulled)
        last = torch.stack([inner(each, pulled) for each in self._pulled], 1).to(weights)
        wider = torch.cat([self._gram, last[:, :-1, None]], 2)
        self._gram = torch.cat([wider, last[:, None]], 1)

    def largest(self) -> tuple[Tensor, Tensor, Tensor]:
        """The largest |J^T u| in the span, its u, and J^T u at length 1; NaN where one is none."""
        known = self._gram.flatten(1).isfinite().all(1)
        gram = torch.where(known[:, None, None], self._gram, 0)
        squares, mixes = torch.linalg.eigh(gram)
        mix = mixes[..., -1]
        value = squares[:, -1].clamp_min(0).sqrt().masked_fill(~known, NAN)
        right = torch.zeros_like(self._pulled[0])
        for k, each in enumerate(self._pulled):
            right = right + column(mix[:, k]).to(each) * each
        return value, torch.einsum("nkc,nk->nc", self._weights, mix), unit(right)


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
