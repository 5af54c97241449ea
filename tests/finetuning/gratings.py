"""A task that a tiny network learns in seconds: which way a grating runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from semaudit.images import Batch, TensorSource

CLASSES, SIDE = 4, 24
ARCH = "test_resnet"


def gratings(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Pictures (count, 3, 24, 24) in [0, 1] and their classes: 0, 45, 90, 135 degrees, roughly."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    angles = labels * math.pi / CLASSES + rng.normal(0, 0.2, count)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    waves = rng.uniform(2, 4, count)[:, None, None] * 2 * math.pi
    along = np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y
    grey = 0.5 + 0.2 * np.sin(along * waves + rng.uniform(0, 2 * math.pi, (count, 1, 1)))
    tint = rng.uniform(0.7, 1.0, (count, 3, 1, 1))
    noisy = grey[:, None] * tint + rng.normal(0, 0.15, (count, 3, SIDE, SIDE))
    return torch.from_numpy(noisy.clip(0, 1)).float(), torch.from_numpy(labels)


def source(count: int, seed: int = 1) -> TensorSource:
    """The same as a source."""
    return TensorSource(*gratings(count, seed))


@lru_cache(maxsize=1)
def trained() -> nn.Module:
    """A network that has learnt it, about 95 % right; not to be changed."""
    import timm

    images, labels = gratings(400)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module: nn.Module = timm.create_model(ARCH, num_classes=CLASSES)
        optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
        module.train()
        for step in range(60):
            rows = torch.arange(step * 40, step * 40 + 40) % len(images)
            loss = nn.functional.cross_entropy(module((images[rows] - 0.5) / 0.5), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    optimizer.zero_grad()
    module.pretrained_cfg["mean"] = module.pretrained_cfg["std"] = (0.5, 0.5, 0.5)
    module.pretrained_cfg["input_size"] = (3, SIDE, SIDE)
    return module.eval()


def written(folder: Path, count: int = 48) -> tuple[Path, Path]:
    """The network as a checkpoint, and pictures in class folders."""
    checkpoint = folder / "gratings.pt"
    stated = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, SIDE, SIDE], "crop_pct": 1.0}
    torch.save({"arch": ARCH, "state_dict": trained().state_dict(), **stated}, checkpoint)
    images, labels = gratings(count, seed=1)
    for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        place = folder / "pictures" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        pixels = image.mul(255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(place / f"{index:03d}.png")
    return checkpoint, folder / "pictures"


@dataclass(frozen=True)
class Shards:
    """A source that can only be read from start to end."""

    inner: TensorSource
    labelled = True
    notes = ()
    class_names = None

    def __len__(self) -> int:
        return len(self.inner)

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        return self.inner.batches(batch_size)
