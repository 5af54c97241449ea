"""Norms and products a picture of gradient-sized tensors, summed in double precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.metrics.views import precise


def flat(tensor: Tensor) -> Tensor:
    """(n, c, h, w) as (n, d) in the precise dtype."""
    return tensor.flatten(1).to(precise(tensor.device))


def l2(tensor: Tensor) -> Tensor:
    """Euclidean norm a picture, (n,); in double precision no square of a float32 overflows."""
    norm: Tensor = torch.linalg.vector_norm(flat(tensor), dim=1)
    return norm


def l1(tensor: Tensor) -> Tensor:
    """Sum of sizes a picture, (n,)."""
    norm: Tensor = torch.linalg.vector_norm(flat(tensor), ord=1, dim=1)
    return norm


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Inner product a picture, (n,)."""
    return (flat(one) * flat(other)).sum(1)


def unit(tensor: Tensor) -> Tensor:
    """The tensor at Euclidean length 1 a picture, in its dtype; zero stays zero."""
    norm = l2(tensor)
    # Divided before the cast: a length below the least of float32 is not rounded to 0.
    scale = column(torch.where(norm > 0, norm, torch.ones_like(norm)))
    return (tensor / scale).to(tensor.dtype)


def column(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def per_rms(rms: float, tensor: Tensor) -> float:
    """The Euclidean length of a picture-sized change whose root mean square is `rms`."""
    return rms * math.sqrt(math.prod(tensor.shape[1:]))


def sound(values: Tensor, *sizes: Tensor) -> Tensor:
    """Values (n,), but NaN where they are not finite, or one of the sizes is 0 or not finite.

    A gradient of exactly 0 is that of a cut or saturated path, and one that overflowed says nothing
    either: neither may pass a limit as if it were smooth.
    """
    known = values.isfinite()
    for size in sizes:
        known = known & size.isfinite() & (size > 0)
    return values.masked_fill(~known, float("nan"))
