"""Norms and products a picture of gradient-sized tensors, summed in double precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.metrics.pixels import length, over_pixels


def l2(tensor: Tensor) -> Tensor:
    """Euclidean norm a picture, (n,); in double precision no square of a float32 overflows."""
    return over_pixels(length, tensor)


def l1(tensor: Tensor) -> Tensor:
    """Sum of sizes a picture, (n,)."""
    return over_pixels(_l1, tensor)


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Inner product a picture, (n,)."""
    return over_pixels(lambda a, b: (a * b).sum(-1), one, other)


def _l1(pixels: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(pixels, ord=1, dim=-1)
    return norm


def unit(tensor: Tensor) -> Tensor:
    """The tensor at Euclidean length 1 a picture, in its dtype; zero stays zero."""
    # By the largest value first: a length below the least of float32 would be rounded to 0.
    largest = tensor.abs().amax((1, 2, 3), keepdim=True)
    even = tensor / largest.where(largest > 0, torch.ones_like(largest))
    norm = l2(even).to(tensor.dtype)
    return even / column(norm.where(norm > 0, torch.ones_like(norm)))


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
