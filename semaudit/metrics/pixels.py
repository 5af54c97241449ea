"""Sums over the pixels of pictures, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def precise(device: torch.device) -> torch.dtype:
    """The dtype that outputs are compared in: float64, but float32 on MPS, which has no other."""
    return torch.float32 if device.type == "mps" else torch.float64


def over_pixels(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function of flat pictures, which reduces their last dimension, to tensors (n, ...).

    On a CPU one picture at a time: what is made of a whole batch in double precision is memory
    that the system hands out anew for every sum, which took a hundred times as long as the sum.
    """
    rows = [tensor.flatten(1) for tensor in tensors]
    dtype = precise(rows[0].device)
    if rows[0].device.type != "cpu" or not len(rows[0]):
        return function(*(row.to(dtype) for row in rows))
    pictures = zip(*rows, strict=True)
    return torch.stack([function(*(row.to(dtype) for row in each)) for each in pictures])


def length(pixels: Tensor) -> Tensor:
    """Euclidean length of flat pictures (..., d): (...)."""
    norm: Tensor = torch.linalg.vector_norm(pixels, dim=-1)
    return norm
