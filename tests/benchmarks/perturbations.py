"""What each probe costs: milliseconds a picture, in one run, beside ImageNet-C's own code.

    python tests/benchmarks/perturbations.py [--size 224] [--pictures 20] [--device cpu]

Batches of real photographs at the last rung, draws made before; the best of several rounds. Theirs
is one picture at a time, as `imagecorruptions` takes them, at severity 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from imagenet_c import corruptions, to_pixels

from semaudit.calibration import Meter, milliseconds
from semaudit.calibration.pictures import meter_of, open_for_calibration
from semaudit.probes import load_probes

ROUNDS = 3


def photographs(size: int, count: int, device: torch.device) -> Meter:
    """foolbox's twenty, as a meter."""
    spec = importlib.util.find_spec("foolbox")
    if spec is None or spec.origin is None:
        sys.exit("this benchmark needs foolbox's pictures: pip install foolbox")
    data = Path(spec.origin).parent / "data"
    source = open_for_calibration(data, size, count, 0, r"imagenet_\d+_(\d+)\.jpg")
    return meter_of(source, count, 0, device)[0]


def best(function: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds that the quickest of several calls takes."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    meter = photographs(arguments.size, arguments.pictures, torch.device(arguments.device))
    clean = to_pixels(torch.cat([part.images for part in meter.parts]).cpu())
    known = corruptions()
    table = Table(title=f"{len(clean)} pictures of {arguments.size} x {arguments.size}")
    for header in ("probe", "family"):
        table.add_column(header)
    for header in ("ms a picture", "imagecorruptions", "times faster"):
        table.add_column(header, justify="right")
    costs, ratios = [], []
    for probe in load_probes():
        if probe.family in ("identity", "sequence"):
            continue
        ours = milliseconds(meter, probe)
        costs.append(ours)
        cells = ["", ""]
        if (corrupt := known.get(probe.name)) is not None:
            seconds = best(lambda: [corrupt(pixels, 1) for pixels in clean])
            theirs = 1000 * seconds / len(clean)
            ratios.append(theirs / ours)
            cells = [f"{theirs:.2f}", f"{theirs / ours:.1f}"]
        table.add_row(probe.name, probe.family, f"{ours:.2f}", *cells)
    Console().print(table)
    print(
        f"median {statistics.median(costs):.2f} ms a picture, at most {max(costs):.2f}; "
        f"against imagecorruptions {statistics.median(ratios):.1f} times faster in the median "
        f"of {len(ratios)} shared kinds"
    )


if __name__ == "__main__":
    main()
