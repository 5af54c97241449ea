"""Norms and products a picture of gradient-sized tensors, summed in double precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semaudit.metrics.views import precise


def flat(tensor: Tensor) -> Tensor:
    """(n, c, h, w) as (n, d)."""
    return tensor.flatten(1)


def l2(tensor: Tensor) -> Tensor:
    """Euclidean norm a picture, (n,); of the largest value first, so that no square overflows."""
    rows = flat(tensor).to(precise(tensor.device))
    norm: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return norm


def l1(tensor: Tensor) -> Tensor:
    """Sum of sizes a picture, (n,)."""
    return flat(tensor).to(precise(tensor.device)).abs().sum(1)


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Inner product a picture, (n,)."""
    dtype = precise(one.device)
    return (flat(one).to(dtype) * flat(other).to(dtype)).sum(1)


def unit(tensor: Tensor) -> Tensor:
    """The tensor at Euclidean length 1 a picture; zero stays zero."""
    norm = l2(tensor).clamp_min(torch.finfo(torch.float32).tiny).to(tensor.dtype)
    return tensor / column(norm)


def column(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def per_rms(rms: float, tensor: Tensor) -> float:
    """The Euclidean length of a picture-sized change whose root mean square is `rms`."""
    return rms * math.sqrt(math.prod(tensor.shape[1:]))
