"""What processes tell each other of an update."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semaudit.finetuning.engine import Engine

pytest.importorskip("accelerate")


class Pair(Engine):
    """One of two processes; the other's message is given."""

    world = 2  # type: ignore[assignment]

    def __init__(self, other: Tensor) -> None:
        self.other = other

    def summed(self, values: Tensor) -> Tensor:
        return values + self.other


def test_a_weight_that_no_process_reaches_keeps_no_gradient() -> None:
    mine, theirs, nobodys = (torch.zeros(2, 3, requires_grad=True) for _ in range(3))
    mine.grad = torch.full((2, 3), 1.0)
    reached = torch.tensor([0.0, 1.0, 0.0])
    gradients = torch.cat([torch.zeros(6), torch.full((6,), 2.0), torch.zeros(6)])
    Pair(torch.cat([reached, gradients])).sum_gradients([mine, theirs, nobodys])
    assert torch.equal(mine.grad, torch.ones(2, 3))
    assert theirs.grad is not None
    assert torch.equal(theirs.grad, torch.full((2, 3), 2.0))
    assert nobodys.grad is None  # an optimizer leaves it alone, weight decay included


def test_gradients_keep_their_memory_layout() -> None:
    weight = torch.zeros(4, 3, 2, 2).to(memory_format=torch.channels_last).requires_grad_()
    weight.grad = torch.arange(48.0).view(4, 3, 2, 2).to(memory_format=torch.channels_last)
    before = weight.grad.clone()
    other = torch.cat([torch.ones(1), torch.ones(48)])
    Pair(other).sum_gradients([weight])
    assert torch.equal(weight.grad, before + 1)
    assert weight.grad.is_contiguous(memory_format=torch.channels_last)
