"""What fine-tuning gains on Fashion-MNIST, beside augmentation alone, on test pictures.

    python tests/benchmarks/finetune.py FOLDER [--seeds 0 1 2] [--test 500] [--save FOLDER]

FOLDER holds the data set's four IDX files (Debian's package dataset-fashion-mnist). For each seed a
small network is trained from scratch, then made more continuous under generic changes and its own
worst cases of one gradient: no probe is among them, though the worst case is searched for as well,
longer. Augmentation alone gets the same pictures, changes, updates and choice between original and
tuned weights. All three are audited on the first test pictures: the
standard battery, and the worst case within 4/255. The table gives the change against the original,
the mean over seeds and the range; accuracies are of all 10,000 test pictures.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import semaudit
from semaudit.finetuning.baselines import AUGMENTATION, objectives
from semaudit.finetuning.bench import Bench
from semaudit.finetuning.loss import Objective
from semaudit.finetuning.opening import open_bench
from semaudit.finetuning.pictures import ids_of, split
from semaudit.finetuning.recipe import Recipe
from semaudit.finetuning.search import Arm, trained
from semaudit.gradients import Differentiator
from semaudit.images import TensorSource
from semaudit.look import look
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import load_probes
from semaudit.settings import explicit
from semaudit.worst import CHEAP, Hunt, worst_frames

SIZE, MEAN, STD = (1, 28, 28), 0.286, 0.353
EPOCHS, BATCH, RATE = 10, 128, 3e-3
WORST = (1 / 255, 2 / 255, 4 / 255)
WANTED = {"flips": -35, "shift": -45, "turn": -20, "worst flips": -25, "accuracy": -0.3}
RECIPE = {
    "task": "weighted",
    "anchor_weight": 0.6,
    "task_on_changed": True,
    "alpha": 3.3,
    "perturb": ("generic", "worst"),
    "worst_steps": 1,
    "turn_penalty": 0.16,
    "lr": 1e-3,
    "epochs": 2,
    "batch_size": BATCH,
    "generic_reach": (0.02, 0.4, 0.15, 0.2),
    "val_share": 0.05,
    "held_out": 0.01,
    "val_draws": 2,
    "max_accuracy_drop": 0.3,
}


class Network(nn.Module):
    """Three convolutions and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.num_classes = 10
        layers: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64), (64, 64)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(2)] if len(layers) < 8 else []
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Linear(64 * 49, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.body(images))
        return logits


def read(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Pictures (n, 1, 28, 28) in [0, 1] and their labels (n,)."""
    images = _bytes(folder / f"{part}-images-idx3-ubyte.gz", header=16).view(-1, 1, 28, 28)
    return images.float() / 255, _bytes(folder / f"{part}-labels-idx1-ubyte.gz", header=8).long()


def _bytes(path: Path, header: int) -> Tensor:
    with gzip.open(path) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def from_scratch(images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """Train the network as anyone would."""
    torch.manual_seed(seed)
    network = Network().train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    steps = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images))[: steps * BATCH].split(BATCH):
            loss = F.cross_entropy(network((images[rows] - MEAN) / STD), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network.eval()


def tuned(bench: Bench, objective: Objective) -> tuple[Classifier, float]:
    """The classifier that would be shipped, and how much of the tuned weights it has."""
    arm = Arm(objective.alpha, bench.recipe.lr)
    weights = trained(bench, objective, arm, bench.plan.updates)
    _, choice = bench.sweep(weights)
    share = 0.0 if choice.point is None else choice.point.share
    return bench.between(weights, share), share


def figures(classifier: Classifier, images: Tensor, labels: Tensor, count: int) -> dict[str, float]:
    """All that the table compares, of one model."""
    with torch.no_grad():
        right = [
            (classifier(part).logits.argmax(1) == answer).float().sum()
            for part, answer in zip(images.split(500), labels.split(500), strict=True)
        ]
    some = images[:count]
    report = semaudit.scan(
        classifier, (some, labels[:count]), ignore=["adversarial"], device="cpu", batch_size=100
    ).report
    found = {
        name: report.estimate(metric, "all", "all")
        for name, metric in (("flips", "flip_rate"), ("shift", "shift"), ("turn", "gradient_turn"))
    }
    return {
        "accuracy": 100 * float(sum(right)) / len(images),
        **{name: 0.0 if each is None else each.value for name, each in found.items()},
        "worst flips": worst_flips(classifier, some),
    }


def worst_flips(classifier: Classifier, images: Tensor) -> float:
    """Share of the answers that the search changes within the largest radius."""
    (probe,) = (each for each in load_probes() if each.name == "worst_linf")
    hunt = Hunt(CHEAP, Differentiator(classifier))
    flips = 0.0
    for start in range(0, len(images), 100):
        part = images[start : start + 100]
        draw = Draw.of(0, probe.name, [str(start + row) for row in range(len(part))])
        with torch.no_grad():
            clean = look(classifier, part)
            *_, last = worst_frames(classifier, replace(probe, ladder=WORST), clean, draw, hunt)
            flips += float(clean.flipped(last.decision).sum())
    return flips / len(images)


def one_seed(folder: Path, seed: int, count: int, save: Path | None) -> dict[str, dict[str, float]]:
    """The figures of the original, of fine-tuning and of augmentation alone."""
    images, labels = read(folder, "train")
    test = read(folder, "t10k")
    settings = {"device": "cpu", "input_size": SIZE, "mean": (MEAN,), "std": (STD,), "seed": seed}
    recipe = Recipe.model_validate(RECIPE)
    source = TensorSource(images, labels)
    # The choice is made on pictures that the original has not learnt by heart either.
    rows = torch.tensor(
        split(ids_of(source) or (), seed, recipe.val_share, recipe.held_out).training
    )
    started = time.monotonic()
    network = from_scratch(images[rows], labels[rows], seed)
    took = time.monotonic() - started
    bench = open_bench(network, source, explicit(settings), recipe)
    found = {"original": figures(bench.classifier, *test, count)}
    augmented, _ = objectives(bench)[AUGMENTATION]
    assert augmented is not None  # the pictures are labelled
    for name, objective in (("fine-tuned", recipe.objective), ("augmentation", augmented)):
        started = time.monotonic()
        classifier, share = tuned(bench, objective)
        seconds = time.monotonic() - started
        found[name] = {**figures(classifier, *test, count), "share": share}
        print(
            f"seed {seed}, {name}: {seconds:.0f} s after {took:.0f} s of training, {found[name]}",
            flush=True,
        )
    print(f"seed {seed}, original: {found['original']}", flush=True)
    if save is not None:
        (save / f"{seed}.json").write_text(json.dumps(found), "utf-8")
    return found


def change(before: dict[str, float], after: dict[str, float], name: str) -> float:
    """In percent; of accuracy in points."""
    if name == "accuracy":
        return after[name] - before[name]
    return 100 * (after[name] / before[name] - 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    runs = [one_seed(given.folder, seed, given.test, given.save) for seed in given.seeds]
    table = Table(title=f"{len(runs)} seeds, {given.test} test pictures")
    for header in ("change of", "at least", "fine-tuned", "augmentation alone"):
        table.add_column(header)
    for name, wanted in WANTED.items():
        cells = []
        for kind in ("fine-tuned", "augmentation"):
            values = [change(run["original"], run[kind], name) for run in runs]
            mean = sum(values) / len(values)
            cells.append(f"{mean:+.1f} [{min(values):+.1f}, {max(values):+.1f}]")
        table.add_row(name, f"{wanted:+g}", *cells)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
