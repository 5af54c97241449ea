"""Modules around a foreign graph that fit it to pictures (n, c, h, w) of any number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semaudit.errors import ModelError

ANY = 1 << 62
"""The upper end of a batch range without one."""


@dataclass(frozen=True)
class InputSpec:
    """The one input of a foreign graph.

    Attributes:
        shape: its four sides; None where the graph leaves a side open.
        dtype: what it must be.
        low: the fewest pictures at a time.
        high: the most pictures at a time; `ANY` for no limit.
    """

    shape: tuple[int | None, int | None, int | None, int | None]
    dtype: torch.dtype = torch.float32
    low: int = 1
    high: int = ANY


@dataclass(frozen=True)
class Adapted:
    """A module that takes normalised pictures (n, c, h, w), n free, and what was done for it."""

    module: nn.Module
    stated: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    batch: int | None = None


def adapted(module: nn.Module, spec: InputSpec, *, name: str) -> Adapted:
    """Wrap ``module`` as its input asks for.

    Raises:
        ModelError: the input is no picture, or of a type that pictures cannot be turned into.
    """
    notes: list[str] = []
    stated: dict[str, object] = {}
    _, channels, height, width = spec.shape
    if channels not in (1, 3) and width in (1, 3):
        channels, height, width = width, channels, height
        module = ChannelsLast(module)
        notes.append(
            f"{name} takes pictures as (n, h, w, {channels}); they are permuted on the way in"
        )
    if spec.dtype == torch.uint8:
        module = Bytes(module)
        if channels is not None:
            stated |= {"mean": (0.0,) * channels, "std": (1.0,) * channels}
        notes.append(
            f"{name} takes whole numbers from 0 to 255: pictures in [0, 1], not normalised, are "
            "multiplied by 255 and rounded on the way in, which leaves no input gradient"
        )
    elif not spec.dtype.is_floating_point:
        raise ModelError(
            f"{name} takes {str(spec.dtype).removeprefix('torch.')} numbers, and pictures are "
            "float or uint8; export the model with float inputs"
        )
    else:
        module = Cast(module, spec.dtype)
    if channels is not None and height is not None and width is not None:
        stated["input_size"] = (channels, height, width)
    if spec.low > 1 or spec.high < ANY:
        module = BatchRange(module, spec.low, spec.high)
    if fixed := spec.low if spec.low == spec.high else None:
        notes.append(
            f"{name} takes {fixed} picture{'s' if fixed > 1 else ''} at a time: larger batches "
            "are split and smaller ones filled up with black, which costs time"
        )
    return Adapted(module, stated, tuple(notes), fixed)


@final
class BatchRange(nn.Module):
    """Runs a batch of any size through a module that takes ``low`` to ``high`` pictures."""

    def __init__(self, module: nn.Module, low: int, high: int) -> None:
        super().__init__()
        self.module, self.low, self.high = module, low, high

    def forward(self, images: Tensor) -> object:
        """Take (n, ...); give the module's outputs, each with n rows."""
        return _joined([self._padded(part) for part in torch.split(images, self.high)])

    def _padded(self, images: Tensor) -> object:
        missing = self.low - len(images)
        if missing <= 0:
            return self.module(images)
        rows = (0, 0) * (images.ndim - 1) + (0, missing)
        return _first_rows(self.module(F.pad(images, rows)), len(images))


@final
class ChannelsLast(nn.Module):
    """Hands (n, h, w, c) to a module that takes pictures so."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> object:
        """Take (n, c, h, w)."""
        return self.module(images.permute(0, 2, 3, 1).contiguous())


@final
class Bytes(nn.Module):
    """Hands whole numbers from 0 to 255 to a module that takes pictures so."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> object:
        """Take values in [0, 1]."""
        return self.module((images * 255).round().clamp(0, 255).to(torch.uint8))


@final
class Cast(nn.Module):
    """Hands over pictures in the one dtype that a graph was made for."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module, dtype

    def forward(self, images: Tensor) -> object:
        """Take floating-point pictures of any precision."""
        return self.module(images.to(self.dtype))


def _first_rows(output: object, count: int) -> object:
    if isinstance(output, Tensor):
        return output[:count]
    if isinstance(output, Mapping):
        return {key: _first_rows(value, count) for key, value in output.items()}
    if isinstance(output, Sequence) and not isinstance(output, str):
        return tuple(_first_rows(value, count) for value in output)
    return output


def _joined(parts: list[object]) -> object:
    """Put the outputs of the parts of a batch together, whatever they are nested in."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat([part for part in parts if isinstance(part, Tensor)])
    if isinstance(first, Mapping):
        return {k: _joined([p[k] for p in parts if isinstance(p, Mapping)]) for k in first}
    if isinstance(first, Sequence) and not isinstance(first, str):
        rows = zip(*(part for part in parts if isinstance(part, Sequence)), strict=True)
        return tuple(_joined(list(row)) for row in rows)
    return first
