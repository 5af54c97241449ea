"""Makes the second sample audit anew: held against a baseline, with kept pictures and hashes.

As of the first: tests render, judge and verify it as it is, so that it is to be made anew only
where the document, the manifest or the baseline's file get another version.

    python tests/data/make_baseline_audit.py
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
from make_sample_audit import Mixing
from torch import Tensor

import semaudit
from semaudit.baselines.saving import save

FOLDER = Path(__file__).resolve().parent / "baseline_audit"
BASELINE = Path("baseline.semaudit")
GATES = [
    *("flip_rate<=baseline+0.4", "shift[noise]<=baseline*0.5-0.02", "new_flips<=0.05"),
    *("negative_flips<=0.9", "flip_rate[photometric]<=0.05"),
]
PROBES = ["brightness", "gaussian_noise"]


class Nudged(Mixing):
    """The same network with other weights in its last layer."""

    def __init__(self) -> None:
        super().__init__()
        last = self.layers[-1].weight
        with torch.no_grad():
            last += (
                0.3
                * last.std()
                * torch.randn(last.shape, generator=torch.Generator().manual_seed(1))
            )


def pictures() -> tuple[Tensor, Tensor]:
    """Sixteen smooth pictures, and the labels that the baseline answers, but for two."""
    images = torch.rand(16, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(images, size=(24, 24), mode="bicubic").clamp(0, 1)
    labels = Mixing().eval()(images).argmax(1)
    labels[:2] = (labels[:2] + 1) % 5
    return images, labels


def main() -> None:
    """Write the audit, and beside it the baseline's file."""
    os.chdir(FOLDER.parent)  # the manifest says where both are
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        options = {"gradients": False, "select": PROBES, "device": "cpu"}
        semaudit.scan(Mixing().eval(), pictures(), out=before, **options)
        save(before, BASELINE)
    shutil.rmtree(FOLDER, ignore_errors=True)
    semaudit.scan(
        Nudged().eval(),
        pictures(),
        fail_on=GATES,
        baseline=BASELINE,
        keep_pictures=3,
        gradients=False,
        select=PROBES,
        device="cpu",
        out=FOLDER.name,
    )


if __name__ == "__main__":
    main()
