"""What can be said of a module's weights: their hash, and whether they are numbers at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError


def weights_sha256(module: nn.Module) -> str:
    """Hash the state dict, one tensor at a time: key, dtype, shape and bytes, sorted by key.

    The device and the memory layout make no difference. Returns 64 hex digits.
    """
    digest = hashlib.sha256()
    for key, tensor in sorted(_tensors(module)):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def require_finite_weights(module: nn.Module, name: str) -> None:
    """Refuse a module with NaN or infinite weights.

    Raises:
        ModelError: naming the first few such tensors.
    """
    broken = [key for key, tensor in _tensors(module) if not _is_finite(tensor)]
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        raise ModelError(
            f"{name}: weights that are NaN or infinite in {', '.join(broken[:3])}{more}; "
            "its answers would mean nothing. Use a checkpoint from before the training diverged"
        )


def frozen(module: nn.Module) -> nn.Module:
    """Put a module that nobody else holds into inference: eval mode, no weight gradients."""
    return module.eval().requires_grad_(False)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The tensors of the state dict; a module may keep other objects there as extra state."""
    for key, value in module.state_dict().items():
        if isinstance(value, Tensor):
            yield key, value


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
