"""Peak memory of a scan at 200 and at 2,000 pictures: it should not grow.

    python tests/benchmarks/scan_memory.py [--model test_efficientnet] [--counts 200 2000]

Each count runs in a process of its own, whose peak resident memory is read at its end. The model
is tiny so that two thousand pictures take a minute: what could grow with pictures is not the model.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

_CHILD = """
import resource, sys, timm, torch, semaudit
torch.manual_seed(0)
model = timm.create_model(sys.argv[1], num_classes=10)
audit = semaudit.scan(model, sys.argv[2], out=sys.argv[3], img_size=64, device="cpu")
assert audit.report.data.pictures == int(sys.argv[4])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_mebibytes(model: str, count: int) -> float:
    """Peak resident memory of one scan, in a fresh process."""
    sys.path.insert(0, str(Path(__file__).parent))
    from scan_overhead import pictures

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "pictures"
        data.mkdir()
        pictures(count, data)
        arguments = [model, str(data), str(Path(folder) / "audit"), str(count)]
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *arguments], check=True, capture_output=True, text=True
        )
    return float(done.stdout)


def main() -> None:
    """Print a table of peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="test_efficientnet")
    parser.add_argument("--counts", type=int, nargs="+", default=[200, 2000])
    arguments = parser.parse_args()
    peaks = [peak_mebibytes(arguments.model, count) for count in arguments.counts]
    table = Table(title=f"peak memory of a standard scan of {arguments.model}")
    for header in ("pictures", "MiB", "ratio"):
        table.add_column(header, justify="right")
    for count, peak in zip(arguments.counts, peaks, strict=True):
        table.add_row(f"{count:,}", f"{peak:.0f}", f"{peak / peaks[0]:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
