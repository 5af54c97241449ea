"""What fine-tuning gains on a pretrained network with few photographs and no labels.

    python tests/benchmarks/finetune_photos.py MODEL FOLDER [--seeds 0 1 2] [--select quick]

MODEL is a checkpoint, as of tf_efficientnet_lite0; FOLDER holds photographs. A third of them is
held out; of the rest a fifth chooses how much of the tuned weights is shipped. Half of the changes
that it is trained under are probes of the standard battery at random rungs: what it gains is shown
on pictures that it never saw, not on changes that it never saw.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import semaudit

RECIPE: dict[str, Any] = {
    "task_on_changed": True,
    "distance": "cosine",
    "alpha": 1.5,
    "detach_clean": True,
    "perturb": ("generic", "standard"),
    "generic_reach": (0.02, 0.35, 0.2, 0.12),
    "views": 2,
    "lr": 2.5e-5,
    "epochs": 10,
    "batch_size": 10,
    "held_out": 1 / 3,
    "val_share": 2 / 15,
    "max_accuracy_drop": 8.0,  # of 40 pictures three: fewer tell nothing
}
WANTED = {"shift": "-20 %", "flip_rate": "-15 %", "agreement": "97 %"}


def one_seed(model: Path, folder: Path, seed: int, select: list[str]) -> dict[str, str]:
    """The changes on the held-out pictures, in words."""
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        tuned = semaudit.finetune(
            model, folder, Path(place) / "tuned.safetensors", seed=seed, ignore_labels=True,
            select=select, ignore=["adversarial"], gradients=False, keep_pictures=0, **RECIPE,
        )  # fmt: skip
        minutes = (time.monotonic() - started) / 60
        choice = str(tuned.record["choice"]["why"])
        if not tuned.improved:
            return {"choice": choice}
        found = semaudit.compare(tuned.folder / "before", tuned.folder / "after")
    row: dict[str, str] = {}
    for metric in ("shift", "flip_rate"):
        each = found.change(metric)
        assert each is not None
        assert each.relative is not None
        row[metric] = f"{100 * each.relative:+.1f} %"
    clean = found.answers()
    assert clean is not None
    row["agreement"] = f"{100 * (1 - clean.churn.value):.1f} %"
    return {**row, "minutes, audits included": f"{minutes:.0f}", "choice": choice}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--select", nargs="+", default=["quick"])
    given = parser.parse_args()
    table = Table("seed", "of held-out pictures", "measured", "asked for")
    for seed in given.seeds:
        for name, said in one_seed(given.model, given.folder, seed, given.select).items():
            table.add_row(str(seed), name, said, WANTED.get(name, ""))
    Console().print(table)


if __name__ == "__main__":
    main()
