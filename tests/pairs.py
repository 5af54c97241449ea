"""Two audits of the same pictures, and copies of them to be changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from known_models import ON_CPU, Linear, pictures, rng

import semaudit

SIZE, CLASSES, N, SEED = (3, 12, 12), 6, 23, 11
SELECT = ("quick", "worst_linf")


def module(noise: float = 0.0) -> Linear:
    """A softmax regression, and others near it."""
    made = Linear(SIZE, CLASSES, seed=5, scale=0.2)
    weight = made.head.weight.data
    weight += noise * torch.randn(weight.shape, generator=rng(8), dtype=torch.float64)
    made.head.bias.data = -weight.sum(1) / 2
    return made


def images_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    """Labels that the module without noise gets right in three of four cases."""
    images = pictures(N, SIZE, seed=3, low=0.2, high=0.8)
    labels = module()(images).argmax(1)
    labels[::4] = (labels[::4] + 1) % CLASSES
    return images, labels


def scanned(noise: float, out: Path, data: Any = None, **settings: Any) -> Path:
    """The folder of an audit."""
    given: dict[str, Any] = {
        "input_size": SIZE,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
        "seed": SEED,
        "select": SELECT,
        **ON_CPU,
        **settings,
    }
    semaudit.scan(module(noise), images_and_labels() if data is None else data, out=out, **given)
    return out


def copied(audit: Path, to: Path) -> Path:
    return Path(shutil.copytree(audit, to))


def rewritten(audit: Path, to: Path, file: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy whose report or manifest says something else."""
    copy = copied(audit, to)
    document = json.loads((copy / file).read_text(encoding="utf-8"))
    change(document)
    (copy / file).write_text(json.dumps(document), encoding="utf-8")
    return copy


def retabled(audit: Path, to: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> Path:
    """A copy one of whose tables holds something else."""
    copy = copied(audit, to)
    pq.write_table(change(pq.read_table(copy / table)), copy / table)
    return copy


def replaced(table: pa.Table, column: str, values: Any) -> pa.Table:
    index = table.column_names.index(column)
    return table.set_column(index, column, pa.array(values, table.schema.field(column).type))
