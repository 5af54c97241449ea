"""Device, precision and processes: what accelerate carries."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semaudit.errors import UsageError

if TYPE_CHECKING:
    from accelerate import Accelerator

_PRECISIONS = {None: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}


def require_accelerate() -> None:
    """Make sure, before any work, that accelerate is there.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("accelerate") is None:
        raise UsageError("fine-tuning needs accelerate: pip install 'semaudit[finetune]'")


class Engine:
    """One process of those that train together; alone unless a launcher says otherwise.

    Gradients are summed over processes after the backward passes of an update, rather than by a
    wrapper around the model: so each process may take its share in parts of its own size, and what
    is trained stays the module that was opened.

    Args:
        device: where this process trains, if it is alone.
        amp_dtype: what forwards run in; None for full precision.

    Raises:
        UsageError: accelerate is missing, or cannot train so here.
    """

    def __init__(self, device: torch.device, amp_dtype: torch.dtype | None) -> None:
        require_accelerate()
        if amp_dtype is torch.float16 and device.type != "cuda":
            raise UsageError(
                "--amp-dtype float16 trains on CUDA alone: take bfloat16 or float32 here"
            )
        self._accelerator = _accelerator(device, _PRECISIONS[amp_dtype])
        together = self._accelerator.num_processes > 1
        self.device = self._accelerator.device if together else device

    @property
    def world(self) -> int:
        """How many processes train together."""
        return int(self._accelerator.num_processes)

    @property
    def rank(self) -> int:
        """Which of them this is, from 0."""
        return int(self._accelerator.process_index)

    @property
    def main(self) -> bool:
        """Whether this is the one that writes and prints."""
        return bool(self._accelerator.is_main_process)

    def prepared(self, optimizer: torch.optim.Optimizer) -> Any:
        """An optimizer that goes by the loss scale of half precision."""
        return self._accelerator.prepare_optimizer(optimizer, device_placement=False)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to those of the weights."""
        self._accelerator.backward(loss)

    def summed(self, values: Tensor) -> Tensor:
        """The sum over processes."""
        if self.world == 1:
            return values
        total: Tensor = self._accelerator.reduce(values.contiguous(), "sum")
        return total

    def sum_gradients(self, weights: Sequence[Tensor]) -> None:
        """Replace the gradients by their sums over processes."""
        if self.world == 1:
            return
        # Not reached here, and perhaps elsewhere: a weight that none reaches has no gradient.
        mine = [torch.zeros_like(each) if each.grad is None else each.grad for each in weights]
        reached = mine[0].new_tensor([float(weight.grad is not None) for weight in weights])
        total = self.summed(torch.cat([reached, *(gradient.flatten() for gradient in mine)]))
        anywhere, *parts = torch.split(total, [len(mine), *(each.numel() for each in mine)])
        for weight, gradient, part, count in zip(
            weights, mine, parts, anywhere.tolist(), strict=True
        ):
            weight.grad = gradient.copy_(part.view_as(gradient)) if count else None

    def norm_of_gradients(self, weights: Sequence[Tensor], most: float | None) -> Tensor:
        """Take the loss scale out of the gradients, and clip them; returns their norm before."""
        self._accelerator.unscale_gradients()
        limit = float("inf") if most is None else most
        norm: Tensor = torch.nn.utils.clip_grad_norm_(weights, limit)
        return norm

    @property
    def scaled(self) -> bool:
        """Whether a loss scale looks for gradients that are not finite, and skips them."""
        return self._accelerator.scaler is not None

    @property
    def scale(self) -> dict[str, Any]:
        """The state of that scale; empty where there is none."""
        scaler = self._accelerator.scaler
        return {} if scaler is None else dict(scaler.state_dict())

    def scale_as(self, state: dict[str, Any]) -> None:
        """Go on with a scale."""
        if self._accelerator.scaler is not None and state:
            self._accelerator.scaler.load_state_dict(state)

    def told(self, value: float) -> float:
        """What the main process says, everywhere."""
        mine = torch.tensor([value if self.main else 0.0], dtype=torch.float64)
        return float(self.summed(mine.to(self.device)))


def _accelerator(device: torch.device, precision: str) -> Accelerator:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    # It remembers the first settings of a process; alone, a later run may have others.
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and AcceleratorState._shared_state:
        AcceleratorState._reset_state(True)
    try:
        return Accelerator(
            cpu=device.type == "cpu", mixed_precision=precision, device_placement=False
        )
    except ValueError as error:  # a precision that this device lacks
        raise UsageError(f"accelerate cannot train so here: {error}") from error
