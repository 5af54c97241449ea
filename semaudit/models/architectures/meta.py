"""Builds models without memory: on the meta device, where filling tensors is left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from semaudit.models.architectures.tree import Shape

TORCHVISION = "torchvision:"

# Two thirds of the time goes into pretending to fill tensors that have no storage.
_FILLED_BY = ("normal", "uniform", "constant", "fill", "zero", "zeros", "ones", "orthogonal")
_CHANGED_BY = ("copy", "bernoulli", "add", "sub", "mul", "div", "clamp", "erfinv")
_INITS = ("trunc_normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")
_FILLING = frozenset(f"{name}_" for name in (*_FILLED_BY, *_CHANGED_BY, *_INITS))


class _Unfilled(TorchFunctionMode):
    """Answers every filling of a tensor with the tensor as it is."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if args and getattr(func, "__name__", "") in _FILLING:
            return args[0]
        return func(*args, **(kwargs or {}))


def built(arch: str, **arguments: object) -> nn.Module:
    """Construct a timm model, or with ``torchvision:`` one of torchvision's, without storage.

    Raises:
        Exception: whatever the library raises for arguments that the model does not take.
    """
    with warnings.catch_warnings(), _Unfilled():
        warnings.simplefilter("ignore")
        if not arch.startswith(TORCHVISION):
            import timm  # two seconds, and most lookups build nothing

            with torch.device("meta"):
                module: nn.Module = timm.create_model(arch, pretrained=False, **arguments)
            return module
        return _of_torchvision(arch.removeprefix(TORCHVISION), arguments)


def _of_torchvision(name: str, arguments: Mapping[str, object]) -> nn.Module:
    from torchvision.models import get_model

    # Its RegNets compute their widths with tensors, which the meta device cannot; memory that
    # nothing fills costs nothing.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        module: nn.Module = get_model(name, weights=None, **arguments)
    return module


def shapes_of(module: nn.Module) -> dict[str, Shape]:
    """Return the shapes of a module's state dict, in order."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
