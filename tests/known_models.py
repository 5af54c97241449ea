"""Modules whose answers are known, and what the tests of the numbers share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

import semaudit
from semaudit import models
from semaudit.layout import Layout, Track
from semaudit.metrics import View
from semaudit.models import Classifier, PreprocessingOverrides
from semaudit.perturbations import Draw

ON_CPU: dict[str, Any] = {"device": "cpu", "amp_dtype": "float32"}
"""The settings of every scan here, so that a machine with a GPU runs the same tests."""


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, size: tuple[int, int, int], seed: int, low: float = 0.4, high: float = 0.6):
    """Pictures (n, c, h, w); in the middle of the range nothing clips."""
    return low + (high - low) * torch.rand((n, *size), generator=rng(seed))


def classifier(module: nn.Module, size: tuple[int, int, int]) -> Classifier:
    return models.load(module, overrides=PreprocessingOverrides(input_size=size))


def view(logits: Tensor, images: Tensor | None = None, features: Tensor | None = None) -> View:
    blank = torch.full((len(logits), 1, 8, 8), 0.5)
    return View(blank if images is None else images, logits, features)


def layout_of(audit: Any) -> Layout:
    return Layout(
        tuple(
            Track(probe.name, probe.family, tuple(probe.ladder)) for probe in audit.report.battery
        )
    )


def scan_along(
    ladders: Mapping[str, Sequence[float]], module: nn.Module, images: Any, **settings: Any
) -> semaudit.Audit:
    """Scan with these probes along these strengths, whatever ladders are shipped."""
    # JSON is YAML.
    text = json.dumps({"select": list(ladders), "ladders": ladders})
    with TemporaryDirectory() as folder:
        battery = Path(folder) / "battery.yaml"
        battery.write_text(text, encoding="utf-8")
        return semaudit.scan(module, images, battery=battery, **{**ON_CPU, **settings})


def draw_of(audit: Any, probe: str) -> Draw:
    """The draw that a scan used, in the order of its pictures."""
    return Draw.of(audit.report.seed, probe, audit.images()["image"].tolist())


class Linear(nn.Module):
    """Softmax regression in float64: flatten, double, linear."""

    def __init__(self, size: tuple[int, int, int], classes: int, seed: int, scale: float = 1.0):
        super().__init__()
        channels, height, width = size
        self.num_classes = classes
        self.head = nn.Linear(channels * height * width, classes, dtype=torch.float64)
        weight = torch.randn(self.head.weight.shape, generator=rng(seed), dtype=torch.float64)
        self.head.weight.data = weight * scale
        # No class is the only answer: balanced about mid-grey.
        self.head.bias.data = -self.head.weight.data.sum(1) / 2

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1).double())


class Threshold(nn.Module):
    """Class 1 with certainty from a mean brightness upward, class 0 below."""

    def __init__(self, at: float, sharpness: float = 20.0) -> None:
        super().__init__()
        self.num_classes = 2
        self.at, self.sharpness = at, sharpness

    def forward(self, images: Tensor) -> Tensor:
        bright = images.double().mean((1, 2, 3)) >= self.at
        logit = torch.where(bright, self.sharpness, -self.sharpness)
        return torch.stack([-logit / 2, logit / 2], 1)


class Constant(nn.Module):
    """The same output whatever it sees."""

    num_classes = 3

    def forward(self, images: Tensor) -> Tensor:
        return images.new_tensor([0.2, 1.5, -0.3]).expand(len(images), 3)


class OneClass(nn.Module):
    """Class 2 of 3 for every picture, with a confidence that depends on the picture."""

    num_classes = 3

    def forward(self, images: Tensor) -> Tensor:
        mean = images.double().mean((1, 2, 3))
        return torch.stack([torch.zeros_like(mean), -mean, 0.5 + 8 * mean], 1)


class Permuted(nn.Module):
    """A module with its classes in another order."""

    def __init__(self, module: nn.Module, order: Tensor) -> None:
        super().__init__()
        self.module, self.num_classes = module, len(order)
        self.register_buffer("order", order)

    def forward(self, images: Tensor) -> Tensor:
        return self.module(images)[:, self.order]


class Ledger:
    """What a module saw; shared by the module's copies, because a scan audits a copy."""

    def __init__(self) -> None:
        self.hashes: set[str] = set()
        self.sizes: list[int] = []

    def __deepcopy__(self, memo: Mapping[int, object]) -> Ledger:
        return self

    def forget(self) -> None:
        self.hashes, self.sizes = set(), []


class Recorder(nn.Module):
    """Keeps the hash of every picture it is shown, and the size of every batch."""

    def __init__(self, module: nn.Module, ledger: Ledger) -> None:
        super().__init__()
        self.module, self.ledger = module, ledger
        self.num_classes = module.num_classes

    def forward(self, images: Tensor) -> Tensor:
        self.ledger.sizes.append(len(images))
        for image in images.float().contiguous():
            content = image.contiguous().numpy().tobytes()
            self.ledger.hashes.add(hashlib.sha256(content).hexdigest())
        return self.module(images)


class Hungry(nn.Module):
    """Out of memory on batches larger than the limit with a picture brighter than ``above``."""

    def __init__(
        self, module: nn.Module, limit: int, error: type[Exception], above: float = 0.0
    ) -> None:
        super().__init__()
        self.module, self.limit, self.error, self.above = module, limit, error, above
        self.num_classes = module.num_classes

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.limit and images.mean((1, 2, 3)).max() > self.above:
            raise self.error("out of memory: tried to allocate 20.00 MiB")
        return self.module(images)


class Starved(nn.Module):
    """Out of memory on every picture darker than those that a classifier is checked with."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.num_classes = module, module.num_classes

    def forward(self, images: Tensor) -> Tensor:
        if images.mean() < 0.4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.module(images)


class BreaksWhenBright(nn.Module):
    """NaN or infinity for pictures above a mean brightness."""

    def __init__(self, module: nn.Module, above: float, value: float = float("nan")) -> None:
        super().__init__()
        self.module, self.above, self.value = module, above, value
        self.num_classes = module.num_classes

    def forward(self, images: Tensor) -> Tensor:
        logits = self.module(images)
        bright = images.mean((1, 2, 3), keepdim=True).flatten(1) > self.above
        return logits.masked_fill(bright, self.value)


@lru_cache(maxsize=1)
def busy_audit() -> semaudit.Audit:
    """The standard battery on a labelled set under a model that flips now and then."""
    size = (3, 12, 12)
    images = pictures(23, size, seed=3, low=0.2, high=0.8)
    labels = torch.randint(0, 6, (23,), generator=rng(4))
    module = Linear(size, 6, seed=5, scale=0.2)
    return semaudit.scan(
        module, (images, labels), input_size=size, taxonomy="head", seed=11, **ON_CPU
    )
