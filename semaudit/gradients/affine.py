"""Frozen batch normalisation, written as the affine map that it is.

In evaluation mode torch still differentiates batch normalisation with the kernel of training,
which on a CPU is a third of a backward pass of an EfficientNet. The map x -> a x + b with constants
has the same gradient and costs one multiplication.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from semaudit.models import Classifier


class AffineBatchNorm(TorchFunctionMode):
    """While active, `F.batch_norm` outside training is an affine map of constants."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Stand in for one function of torch."""
        return (_batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))


def affine_where_slow(classifier: Classifier) -> AffineBatchNorm | nullcontext[None]:
    """The affine map where the kernel is slow: on CUDA it is fast, and a compiled model would be
    compiled anew.
    """
    placement = classifier.placement
    wanted = placement.device.type == "cpu" and not placement.compile
    return AffineBatchNorm() if wanted else nullcontext()


def _batch_norm(
    images: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`F.batch_norm`, (n, c, ...)."""
    if training or mean is None or variance is None or mean.dtype != images.dtype:
        return F.batch_norm(images, mean, variance, weight, bias, training, momentum, eps)
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    offset = -mean * scale
    offset = offset if bias is None else offset + bias
    shape = (1, -1, *(1 for _ in images.shape[2:]))
    return torch.addcmul(offset.view(shape), images, scale.view(shape))
