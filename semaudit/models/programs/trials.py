"""Trial runs of a foreign graph: which pictures it takes, and whether gradients come back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Size = tuple[int, int, int]
USUAL_SIDES = (224, 32, 28, 64, 96, 128, 160, 192, 256, 288, 299, 300, 320, 380, 384, 448, 512)


@dataclass(frozen=True)
class Trial:
    """What came of a trial run.

    Attributes:
        size: the pictures that it took, (c, h, w).
        classes: the width of the output when that is one tensor (n, classes), else None.
        differentiable: whether an input gradient came back.
    """

    size: Size
    classes: int | None
    differentiable: bool


def trial(module: nn.Module, size: Size) -> Trial:
    """Run one random picture (c, h, w) forth and back.

    Raises:
        Exception: whatever the module raises on its way forth.
    """
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    image = torch.rand((1, *size), generator=torch.Generator().manual_seed(0)).to(dtype)
    output, came = forth_and_back(module, image)
    classes = output.shape[1] if isinstance(output, Tensor) and output.ndim == 2 else None
    return Trial(size, classes, came)


def forth_and_back(module: nn.Module, images: Tensor) -> tuple[object, bool]:
    """Return what the module makes of (n, c, h, w), and whether an input gradient comes back.

    Raises:
        Exception: whatever the module raises on its way forth.
    """
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = module(images)
        return output, any(_gradient_comes(tensor, images) for tensor in _tensors(output))


def first_that_fits(module: nn.Module, sizes: Sequence[Size]) -> tuple[Trial | None, str]:
    """Try sizes in order; return the first run that ends, or None with the first one's reason."""
    reason = ""
    for size in sizes:
        try:
            return trial(module, size), reason
        except Exception as error:  # foreign code: it may raise anything
            reason = reason or f"{type(error).__name__}: {_last_line(error)}"
    return None, reason


def _gradient_comes(output: Tensor, images: Tensor) -> bool:
    if output.grad_fn is None or not output.is_floating_point():
        return False
    try:
        (gradient,) = torch.autograd.grad(
            output.float().sum(), images, retain_graph=True, allow_unused=True
        )
    except RuntimeError:
        return False
    return gradient is not None


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, Sequence) and not isinstance(output, str):
        for value in output:
            yield from _tensors(value)


def _last_line(error: Exception) -> str:
    """What a graph's interpreter raises ends with the reason, after a traceback of its own."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), "")
