"""How two results are compared, and what is asked of one."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gradient_of(result: Tensor, images: Tensor) -> Tensor:
    """The gradient of the sum of squares of a result; 0 where none flows."""
    if not result.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(result.square().sum(), images, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two results have the same bits; NaN equals NaN, for the range is another check."""
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def gap_of(one: Tensor, other: Tensor) -> str:
    """The largest difference of two results, in words."""
    largest = float((one.detach().double() - other.detach().double()).abs().amax())
    return "NaN" if math.isnan(largest) else f"{largest:.2g}"


def memory_of(tensor: Tensor) -> int:
    """Where a tensor's content lies: equal for views of one another."""
    return tensor.untyped_storage().data_ptr()
