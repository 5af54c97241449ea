"""Programs that keep their own mode and devices, behaving as other modules do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from typing_extensions import Self

CPU = torch.device("cpu")


class MovingProgram(nn.Module, ABC):
    """A program that writes devices into itself, where `nn.Module.to` does not reach."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    @abstractmethod
    def follow(self, device: torch.device) -> None:
        """Make the program run on ``device``; its parameters and buffers are moved after."""

    def train(self, mode: bool = True) -> Self:
        """Note the mode; a program has the one that it was saved in."""
        self.training = mode
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        device = fn(torch.empty(0, device=self.device)).device
        if device != self.device:
            self.device = device
            self.follow(device)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
