"""What a training step costs over the bare passes that it makes: one run, a ratio.

    python tests/benchmarks/finetune_step.py [--batch-size 128] [--rounds 9]

A step reads nothing and computes what training does: changed pictures, one forward of both, the
loss, the backward pass, the optimizer. Bare are that forward and backward on ready-made pictures.
Both alternate, and the median of the rounds' ratios counts. The network is of the size that
Fashion-MNIST takes: beside a larger one the rest weighs less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from semaudit.finetuning.keeping import Log
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.recipe import Recipe
from semaudit.settings import explicit

LIMIT = 1.15


class Small(nn.Module):
    """Three convolutions."""

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
        """Logits."""
        found: Tensor = self.head(self.body(images))
        return found


def seconds(function: Callable[[], object]) -> float:
    """How long it takes, once."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    size = given.batch_size
    recipe = Recipe(batch_size=size, epochs=1)
    pictures = torch.rand(4 * size, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    bench = open_bench(Small(), pictures, explicit({"device": "cpu"}), recipe)
    trainer = bench.trainer(recipe, recipe.objective, Log(None))
    batch = next(trainer._shares(1))
    student, both = trainer.stepper.student, torch.rand(2 * size, 1, 28, 28)

    def passes() -> None:
        student.module.zero_grad()
        student(both).logits.log_softmax(-1)[:, 0].mean().backward()  # type: ignore[no-untyped-call]

    def step() -> None:
        trainer._advance(batch, 0.0)

    ratios = []
    for _ in range(given.rounds + 1):
        bare, whole = seconds(passes), seconds(step)
        ratios.append(whole / bare)
    ratio = median(ratios[1:])  # the first pays for all of the memory
    print(f"a training step takes {ratio:.3f} times its bare passes (limit {LIMIT})")


if __name__ == "__main__":
    main()
