"""The Python API on a live nn.Module: train a small network, scan it, read the answer.

The pictures are made up (a bright blob in one of four corners), so that this runs in seconds
anywhere. Any module that maps pictures (n, c, h, w) to logits (n, classes) works the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import semaudit


def corner_blobs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Grey pictures (n, 1, 32, 32) in [0, 1] with a blob in a corner, and which corner (n,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=generator)
    centre = 8 + 16 * torch.stack([labels // 2, labels % 2], 1)
    centre = centre + 3 * torch.randn(count, 2, generator=generator)
    grid = torch.arange(32.0)
    rows = (grid - centre[:, :1]).square()
    columns = (grid - centre[:, 1:]).square()
    blob = torch.exp(-(rows[:, :, None] + columns[:, None, :]) / 30)
    noise = 0.05 * torch.rand(count, 32, 32, generator=generator)
    return (0.1 + 0.7 * blob + noise).clamp(0, 1)[:, None], labels


def train(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Fit by a few steps of Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


def main() -> semaudit.Audit:
    """Train, scan and print."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(128, 4),
    )
    train(model, *corner_blobs(200, seed=1))
    audit = semaudit.scan(
        model,
        corner_blobs(100, seed=2),
        fail_on=["flip_rate<=0.2", "accuracy>=0.8"],
    )
    summary = audit.summary().query(
        "scope == 'family' and metric == 'shift' and statistic == 'mean'"
    )
    print(summary[["name", "value", "low", "high"]].to_string(index=False))
    print(f"continuity score {audit.score:.1f}")
    for verdict in audit.verdicts:
        print(f"{verdict.outcome.value}: {verdict.gate} ({verdict.reason})")
    return audit


if __name__ == "__main__":
    main()
