"""What a perturbation is, and the one place where each is registered by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from types import FunctionType, MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

from semaudit.errors import (
    PluginError,
    ProbeError,
    SemauditError,
    did_you_mean,
    out_of_memory,
)
from semaudit.perturbations.draw import Draw

Strength: TypeAlias = float | Tensor
"""How strong: one number for the batch, or (n, 1, 1, 1) with one number an image."""

Function: TypeAlias = Callable[[Tensor, Strength, Draw], Tensor]

_ROUNDED = 2.0**-8  # as much as bfloat16 may round up
_PLACEHOLDER = 2.0**-10  # stands in for a zero strength, whose result is thrown away


@dataclass(frozen=True)
class Perturbation:
    """A named change of pictures, the identity at strength 0.

    The author's `function` maps images (n, c, h, w) in [0, 1], a strength and a draw to images of
    the same shape and dtype. The rest of the protocol is here, once: the identity at 0, the range,
    the checks.

    Attributes:
        doc: the function's docstring, cleaned.
        ladder: rising strengths; a perturbation that carries them is a complete probe.
        tags: what selects that probe.
        max_strength: the largest strength that the formula is meant for.
        channels: the number that the images must have for it to mean anything; None: any. Three:
            it needs colour, so it means nothing for grey pictures in three channels either.
        smallest_side: the shorter side, in pixels, below which it means nothing.
        differentiable: whether a gradient flows through it to the images.
        stepwise: whether it changes in whole steps, of which the least strength makes the first;
            its function must then make none at strength 0.
    """

    name: str
    family: str
    doc: str
    function: Function
    ladder: tuple[float, ...] | None = None
    tags: tuple[str, ...] = ("standard",)
    max_strength: float = 1.0
    channels: int | None = None
    smallest_side: int = 1
    differentiable: bool = True
    stepwise: bool = False

    def __call__(self, images: Tensor, strength: Strength, draw: Draw) -> Tensor:
        """Return new images (n, c, h, w) in [0, 1]; an image whose strength is 0 is unchanged.

        `strength` is a float in [0, max_strength], or a tensor of n of them; of one that lies on
        an accelerator the range is not checked, for that would wait for the device.
        """
        if len(draw.keys) != len(images):
            raise ValueError(f"{len(images)} images, but a draw for {len(draw.keys)}")
        if isinstance(strength, Tensor):
            self._refuse_outside(strength)
            return self._each(images, strength, draw)
        if not 0 <= strength <= self.max_strength:
            raise ProbeError(
                f"strength {strength} of {self.name!r} is outside [0, {self.max_strength}]"
            )
        if strength == 0:
            return images.clone()
        if torch.finfo(images.dtype).bits < 32:
            # A number is rounded less than such a tensor is: always a tensor, the same bits.
            return self._checked(images, images.new_full((len(images), 1, 1, 1), strength), draw)
        # Rounded as a tensor of strengths would be, so that both give the same bits.
        return self._checked(images, torch.tensor(strength, dtype=torch.float32).item(), draw)

    def _refuse_outside(self, strengths: Tensor) -> None:
        """Refuse strengths on the CPU beyond the range, but for what a half precision rounds."""
        if strengths.device.type != "cpu" or not strengths.numel():
            return
        low, high = (float(end) for end in strengths.detach().aminmax())
        if not (low >= 0 and high <= self.max_strength * (1 + _ROUNDED)):  # NaN is in no range
            raise ProbeError(
                f"strengths from {low:g} to {high:g} of {self.name!r} are not within "
                f"[0, {self.max_strength}]"
            )

    def _each(self, images: Tensor, strength: Tensor, draw: Draw) -> Tensor:
        column = strength.to(images).reshape(-1, 1, 1, 1).expand(len(images), 1, 1, 1)
        still = column == 0
        # Without the placeholder a division by a zero strength would poison the gradient.
        moved = self._checked(images, column.masked_fill(still, _PLACEHOLDER), draw)
        return torch.where(still, images, moved)

    def _checked(self, images: Tensor, strength: Strength, draw: Draw) -> Tensor:
        result: object
        try:
            # Lower precision is for the model: in autocast a convolution would change the dtype.
            # A copy: what an author writes into must not be the clean image of all other probes.
            with torch.autocast(images.device.type, enabled=False):
                result = self.function(images.clone(), strength, draw)
        except SemauditError:
            raise
        except Exception as error:  # an author's code may raise anything
            if out_of_memory(error):
                raise
            raise PluginError(f"{self._where()} failed: {type(error).__name__}: {error}") from error
        if not isinstance(result, Tensor):
            raise PluginError(f"{self._where()} returned {type(result).__name__}, not a tensor")
        for trait in ("shape", "dtype", "device"):
            wanted, got = getattr(images, trait), getattr(result, trait)
            if got != wanted:
                raise PluginError(
                    f"{self._where()} returned images of {trait} {_show(got)}; "
                    f"it was given {_show(wanted)} and must keep it"
                )
        return result.clamp(0.0, 1.0)

    @property
    def place(self) -> str:
        """File and line of the function."""
        return _origin(self.function)

    def _where(self) -> str:
        return f"perturbation {self.name!r} ({self.place})"


_registry: dict[str, Perturbation] = {}


def perturbation(
    *,
    family: str,
    ladder: Sequence[float] | None = None,
    tags: Sequence[str] = ("standard",),
    name: str | None = None,
    max_strength: float = 1.0,
    channels: int | None = None,
    smallest_side: int = 1,
    differentiable: bool = True,
    stepwise: bool = False,
) -> Callable[[Function], Perturbation]:
    """Register the decorated function, under its own name unless `name` is given.

    With a `ladder` (strengths rising within (0, max_strength]) it is a complete probe, whose claim
    is the first line of the function's docstring.
    """

    def register(function: Function) -> Perturbation:
        made = Perturbation(
            name=name or str(getattr(function, "__name__", "")),
            family=family,
            doc=inspect.getdoc(function) or "",
            function=function,
            ladder=None if ladder is None else tuple(map(float, ladder)),
            tags=tuple(tags),
            max_strength=max_strength,
            channels=channels,
            smallest_side=smallest_side,
            differentiable=differentiable,
            stepwise=stepwise,
        )
        fault = None if made.ladder is None else ladder_fault(made.ladder, max_strength)
        if fault is not None:
            raise PluginError(f"perturbation {made.name!r}: {fault}")
        known = _registry.get(made.name)
        if known is not None and not _same_code(known, made):
            raise PluginError(
                f"perturbation {made.name!r} ({_origin(function)}) is already registered by "
                f"{_origin(known.function)}: give one of them another name"
            )
        _registry[made.name] = made
        return made

    return register


def registered() -> Mapping[str, Perturbation]:
    """Return every registered perturbation by name, read-only, in order of registration."""
    return MappingProxyType(_registry)


def get(name: str) -> Perturbation:
    """Return the perturbation `name`, or raise ProbeError naming the nearest one."""
    if name not in _registry:
        raise ProbeError(f"unknown perturbation {name!r}{did_you_mean(name, _registry)}")
    return _registry[name]


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Undo what was registered inside when it raises: no half of a plugin stays behind."""
    before = dict(_registry)
    try:
        yield
    except BaseException:
        _registry.clear()
        _registry.update(before)
        raise


def ladder_fault(ladder: Sequence[float], max_strength: float) -> str | None:
    """Return what is wrong with a ladder of strengths, or None."""
    shown = list(ladder)
    if not shown:
        return "a ladder needs at least one strength"
    if not all(math.isfinite(rung) and rung > 0 for rung in shown):
        return f"ladder {shown} must hold finite strengths above 0 (the clean image is implied)"
    if any(low >= high for low, high in pairwise(shown)):
        return f"ladder {shown} must rise strictly"
    if shown[-1] > max_strength:
        return f"ladder {shown} goes beyond the largest strength, {max_strength}"
    return None


def _same_code(one: Perturbation, other: Perturbation) -> bool:
    """Whether both come from the same text, as when a plugin file is loaded a second time."""
    first, second = inspect.unwrap(one.function), inspect.unwrap(other.function)
    if not (isinstance(first, FunctionType) and isinstance(second, FunctionType)):
        return first is second
    same_file = first.__code__.co_filename == second.__code__.co_filename
    same_probe = replace(one, function=other.function) == other
    return same_file and same_probe and first.__code__ == second.__code__


def _origin(function: Function) -> str:
    # What the author wrote, not the wrapper that a decorator such as `warp` put around it.
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def _show(trait: object) -> str:
    return str(tuple(trait)) if isinstance(trait, torch.Size) else str(trait)
