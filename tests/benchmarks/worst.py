"""The search for the worst case against Foolbox's PGD, and against its own bare passes.

    python tests/benchmarks/worst.py [--pictures 20] [--restarts 3] [--steps 10] [--rounds 9]
        [--only found|time]

Both searches take restarts * steps gradients a picture and radius, on the demo network and the
pictures that come with Foolbox. Foolbox climbs the cross-entropy of the clean class, with its own
step; semaudit knows no class. A rung's bare passes are the forwards and backwards that the search
made, in their order and batch sizes, on ready-made pictures; both alternate, and the median of the
rounds' ratios counts: two searches in a row on a shared machine may differ by a half.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import foolbox
import timm
import torch
from rich.console import Console
from rich.table import Table
from scan_overhead import _load, pictures
from torch import Tensor, nn

from semaudit.gradients import Differentiator
from semaudit.images.batches import batches
from semaudit.images.pictures import open_folder
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier, load
from semaudit.perturbations import Draw
from semaudit.probes import Probe, load_probes
from semaudit.worst import CHEAP, Effort, Hunt, worst_frames

DEMO = "tf_efficientnet_lite0"
LIMIT = 1.10
RADII = (0.25 / 255, 0.5 / 255, 1 / 255, 2 / 255)


def probe() -> Probe:
    """The L-infinity probe, along the radii of the comparison."""
    (shipped,) = (each for each in load_probes() if each.name == "worst_linf")
    return replace(shipped, ladder=RADII)


def photographs(classifier: Classifier, count: int) -> tuple[Tensor, tuple[str, ...]]:
    """The pictures, as the classifier takes them, and their names."""
    with TemporaryDirectory() as folder:
        data = pictures(count, Path(folder))
        source = open_folder(
            data, classifier.preprocessing, classifier.class_names, classifier.num_classes
        )
        images = torch.cat([each.images for each in batches(source.dataset, count)])
    images = images if images.is_floating_point() else images.float() / 255
    return images, tuple(str(k) for k in range(count))


class Logits(nn.Module):
    """A classifier as Foolbox takes it."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, classes)."""
        return self.classifier(images).logits


def by_foolbox(
    classifier: Classifier, clean: View, radius: float, steps: int, restarts: int
) -> tuple[float, float]:
    """Flips and mean shift of the best of each picture's restarts."""
    model = foolbox.PyTorchModel(Logits(classifier).eval(), bounds=(0, 1), device="cpu")
    shift = flips = torch.zeros(len(clean.images), dtype=torch.float64)
    for _ in range(restarts):
        with torch.enable_grad():
            _, found, _ = foolbox.attacks.LinfPGD(steps=steps)(
                model, clean.images, clean.top_class, epsilons=[radius]
            )
        seen = look(classifier, found[0])
        shift = torch.maximum(shift, clean.shift_to(seen))
        flips = torch.maximum(flips, clean.flipped(seen.decision))
    return float(flips.mean()), float(shift.mean())


def compare(count: int, steps: int, restarts: int, console: Console) -> None:
    """Print what each search finds, a line a radius as it is found, and the table."""
    classifier = _load(DEMO)
    images, ids = photographs(classifier, count)
    table = Table(title=f"{count} pictures, {steps * restarts} gradients a picture and radius")
    for name in ("radius, of 255", "flips", "Foolbox", "mean shift", "Foolbox", "cheap: flips"):
        table.add_column(name, justify="right")
    table.add_column("shift", justify="right")
    differentiator = Differentiator(classifier)
    behind: list[str] = []
    with torch.no_grad():
        clean = look(classifier, images)
        draw = Draw.of(0, "worst_linf", ids)
        torch.manual_seed(0)
        efforts = (Effort(steps, restarts, 1), CHEAP)
        full, cheap = (
            worst_frames(classifier, probe(), clean, draw, Hunt(effort, differentiator))
            for effort in efforts
        )
        for radius in RADII:
            theirs = by_foolbox(classifier, clean, radius, steps, restarts)
            ours, quick = (
                (float(clean.flipped(view.decision).mean()), float(clean.shift_to(view).mean()))
                for view in (next(full), next(cheap))
            )
            cells = [f"{100 * ours[0]:.0f} %", f"{100 * theirs[0]:.0f} %"]
            cells += [f"{ours[1]:.3f}", f"{theirs[1]:.3f}"]
            table.add_row(f"{255 * radius:g}", *cells, f"{100 * quick[0]:.0f} %", f"{quick[1]:.3f}")
            console.print(f"{255 * radius:g}/255: {', '.join(cells)}", style="dim")
            if ours[0] < theirs[0] or ours[1] < theirs[1]:
                behind.append(f"{255 * radius:g}/255")
    console.print(table)
    console.print(f"behind Foolbox at {', '.join(behind)}" if behind else "nowhere behind Foolbox")


def timed(function: Callable[[], Any]) -> float:
    """Seconds that the function takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def overhead(name: str, classifier: Classifier, rounds: int, console: Console) -> None:
    """Print the time of a cheap search over that of its bare passes, the median of the rounds."""
    torch.manual_seed(0)
    images = torch.rand(8, *classifier.preprocessing.input_size)
    ids = tuple(str(k) for k in range(8))
    passes: list[tuple[int, bool]] = []
    original = Classifier.__call__
    # One radius costs as much as another, and pairs that are soon over are disturbed alike.
    shorter = replace(probe(), ladder=RADII[-1:])

    def recording(self: Classifier, pictures: Tensor) -> Any:
        passes.append((len(pictures), pictures.requires_grad))
        return original(self, pictures)

    def search() -> None:
        with torch.no_grad():
            draw = Draw.of(0, "worst_linf", ids)
            hunt = Hunt(CHEAP, Differentiator(classifier))
            for _ in worst_frames(classifier, shorter, clean, draw, hunt):
                pass

    differentiator = Differentiator(classifier)

    def bare() -> None:
        for size, slope in passes:
            if not slope:
                with torch.no_grad():
                    classifier(images[:size])
                continue
            with differentiator.graph(images[:size]) as (view, root):
                torch.autograd.grad(view.logits.sum(), root)

    with torch.no_grad():
        clean = look(classifier, images)
    Classifier.__call__ = recording  # type: ignore[method-assign]
    try:
        search()
    finally:
        Classifier.__call__ = original  # type: ignore[method-assign]
    bare()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:  # whoever else is at work troubles the first as often as the second
            searched, passed = timed(search), timed(bare)
        else:
            passed, searched = timed(bare), timed(search)
        pairs.append((passed, searched))
        console.print(f"{name}: bare {passed:.2f} s, search {searched:.2f} s", style="dim")
    gradients = sum(size for size, slope in passes if slope)
    ratio = median(searched / passed for passed, searched in pairs)
    passed, searched = (median(times) for times in zip(*pairs, strict=True))
    console.print(
        f"{name}: {gradients} gradients, bare {passed:.2f} s, search {searched:.2f} s, ratio "
        f"[bold]{ratio:.3f}[/bold] (limit {LIMIT:.2f})"
    )


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["found", "time"])
    arguments = parser.parse_args()
    console = Console(width=110)
    if arguments.only != "time":
        compare(arguments.pictures, arguments.steps, arguments.restarts, console)
    if arguments.only != "found":
        torch.manual_seed(0)
        overhead("resnet50", load(timm.create_model("resnet50")), arguments.rounds, console)


if __name__ == "__main__":
    main()
