"""What an HTML report of a large audit costs: 10,000 pictures by 120 cells, 48 of them shown.

    python tests/benchmarks/html_report.py [--pictures 10000] [--shown 48]

Fifty pictures of 224 pixels are scanned for real, and their rows repeated until there are as many
as asked for. The report is then written in a process of its own: under 20 s, 1 GB and 10 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.table import Table

import semaudit
from semaudit.folder import REPORT
from semaudit.probes import load_probes
from semaudit.store import IMAGES, PATHS, SAMPLES

SCANNED, RUNGS = 50, 3

_CHILD = """
import re, sys, time
from pathlib import Path
started = time.perf_counter()
from semaudit.report.file import read_report
from semaudit.report.html import to_html
folder = Path(sys.argv[1])
page = to_html(read_report(folder / "report.json"), folder)
assert page.count("<article") == int(sys.argv[2])
seconds = time.perf_counter() - started
# Not getrusage, which counts what the process that started this one had.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(seconds, peak, len(page.encode()) / 1e6)
"""


class _Coarse(torch.nn.Module):
    """A hundred classes by random weights of an 8 by 8 thumbnail: cheap, and it answers."""

    num_classes = 100

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(192, 100)
        torch.nn.init.normal_(self.layer.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (n, 100)."""
        return self.layer(torch.nn.functional.adaptive_avg_pool2d(images, 8).flatten(1))


def audit_of(folder: Path, pictures: int, shown: int) -> None:
    """Write an audit with so many pictures by 120 cells."""
    torch.manual_seed(0)
    rough = torch.nn.functional.interpolate(torch.rand(SCANNED, 3, 28, 28), 224, mode="bicubic")
    images = (rough + 0.05 * torch.randn_like(rough)).clamp(0, 1)
    drawn = [p for p in load_probes() if "standard" in p.tags and not p.searched]
    ladders = {p.name: p.ladder[:RUNGS] for p in drawn if len(p.ladder) >= RUNGS}
    ladders = dict([each for each in ladders.items() if each[0] != "identity"][: 120 // RUNGS])
    battery = folder.with_name("battery.yaml")
    battery.write_text(json.dumps({"select": list(ladders), "ladders": ladders}), encoding="utf-8")
    audit = semaudit.scan(
        _Coarse(),
        images,
        battery=battery,
        device="cpu",
        gradient_samples=1,
        keep_pictures=shown,
        out=folder,
    )
    times = pictures // SCANNED
    for name in (IMAGES, PATHS, SAMPLES):
        table = pq.read_table(folder / name)
        repeated = pa.concat_tables([table] * times)
        pq.write_table(repeated, folder / name, row_group_size=16_384)
    data = audit.report.data.model_copy(update={"pictures": times * SCANNED})
    report = audit.report.model_copy(update={"data": data})
    (folder / REPORT).write_text(report.model_dump_json(), encoding="utf-8")


def main() -> None:
    """Print seconds, peak memory and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--shown", type=int, default=48)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "audit"
        audit_of(folder, arguments.pictures, arguments.shown)
        child = [sys.executable, "-c", _CHILD, str(folder), str(arguments.shown)]
        done = subprocess.run(child, check=True, capture_output=True, text=True)
    seconds, peak, size = (float(each) for each in done.stdout.split())
    table = Table(title=f"HTML of {arguments.pictures:,} pictures by 120 cells")
    for header in ("seconds", "peak MiB", "MB"):
        table.add_column(header, justify="right")
    table.add_row(f"{seconds:.1f}", f"{peak:.0f}", f"{size:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
