"""What a training step costs beside the passes that it makes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from semaudit.finetuning.keeping import Log
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.recipe import Recipe
from semaudit.settings import explicit

BATCH, REPEATS = 128, 6
LIMIT = 1.15


class Small(nn.Module):
    """A network of the size that Fashion-MNIST takes: for a larger one the rest weighs less."""

    def __init__(self) -> None:
        super().__init__()
        self.num_classes = 10
        layers: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if after < 128 else []
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(images))
        return found


def best(function: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return min(taken)


@pytest.mark.slow
def test_a_step_costs_little_more_than_its_passes() -> None:
    recipe = Recipe(batch_size=BATCH, epochs=1)
    pictures = torch.rand(400, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    bench = open_bench(Small(), pictures, explicit({"device": "cpu"}), recipe)
    trainer = bench.trainer(recipe, recipe.objective, Log(None))
    batch = next(trainer._shares(1))
    student, both = trainer.stepper.student, torch.rand(2 * BATCH, 1, 28, 28)

    def passes() -> None:
        student.module.zero_grad()
        student(both).logits.log_softmax(-1)[:, 0].mean().backward()  # type: ignore[no-untyped-call]

    passes()
    trainer._advance(batch, 0.0)
    ratio = best(lambda: trainer._advance(batch, 0.0)) / best(passes)
    print(f"a step takes {ratio:.3f} times its bare passes")
    assert ratio < LIMIT
