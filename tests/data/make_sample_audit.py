"""Makes the sample audit anew: a tiny seeded model on tiny seeded pictures.

It stands for audits that people keep. Tests render and judge it as it is, so that it is to be made
anew only where the document gets another version, and then beside this one.

    python tests/data/make_sample_audit.py
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

import semaudit

FOLDER = Path(__file__).resolve().parent / "sample_audit"
GATES = ["accuracy>=0.5", "shift<=0.02", "flip_rate[noise]<=0.2", "shift.p95<=0.9"]
PROBES = ["brightness", "gaussian_noise", "jpeg", "rotation", "worst_linf"]


class Mixing(nn.Module):
    """Two random convolutions and a random layer of five classes."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2),
                nn.Tanh(),
                nn.Conv2d(8, 8, 3, stride=2),
                nn.Tanh(),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Linear(32, 5),
            )

    def forward(self, images: Tensor) -> Tensor:
        """Put out logits, with some force, that are 0 for a grey picture."""
        logits: Tensor = 120 * (self.layers(images) - self.layers(torch.full_like(images, 0.5)))
        return logits


def main() -> None:
    """Write the audit."""
    os.chdir(FOLDER.parent)  # the manifest says where it was written
    images = torch.rand(24, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images = nn.functional.interpolate(images, size=(24, 24), mode="bicubic").clamp(0, 1)
    model = Mixing().eval()
    labels = model(images).argmax(1)
    labels[:2] = (labels[:2] + 1) % 5  # two mistakes
    semaudit.scan(
        model,
        (images, labels),
        select=PROBES,
        fail_on=GATES,
        gradients=False,
        device="cpu",
        out=FOLDER.name,
    )


if __name__ == "__main__":
    main()
