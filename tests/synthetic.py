"""Made-up measures, for the tests that need tables but no model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from semaudit.layout import Layout, Track
from semaudit.measure import Measures
from semaudit.metrics import IMAGE_FUNCTIONS, PATH_FUNCTIONS, RUNG_FUNCTIONS
from semaudit.store import Samples, SampleWriter

LAYOUT = Layout(
    (
        Track("identity", "identity", (1.0,)),
        Track("hiss", "noise", (0.1, 0.2)),
        Track("grain", "noise", (0.1, 0.2, 0.4)),
        Track("lamp", "light", (0.05, 0.2)),
    )
)


def measures(n: int, seed: int = 0, *, flip_rate: float = 0.2) -> Measures:
    """Random numbers in [0, 1] in every column, and flips at the given rate."""
    rng = np.random.default_rng(seed)
    cells, tracks = len(LAYOUT.cells), len(LAYOUT.tracks)
    rungs = {name: rng.uniform(size=(n, cells)) for name in RUNG_FUNCTIONS}
    rungs["flip"] = (rng.uniform(size=(n, cells)) < flip_rate).astype(np.float64)
    paths = {name: rng.uniform(size=(n, tracks)) for name in PATH_FUNCTIONS}
    paths["onset"] = np.full((n, tracks), np.nan)
    return Measures(
        images={name: rng.uniform(size=n) for name in IMAGE_FUNCTIONS},
        paths=paths,
        rungs=rungs,
        clean_classes=np.zeros(n, dtype=np.int64),
        classes=rungs["flip"].astype(np.int64),
        output_sum=torch.ones(2),
    )


def written(folder: Path, n: int, seed: int = 0, *, flip_rate: float = 0.2) -> Samples:
    """The tables of n pictures of class 0, of which one in four is taken for class 1."""
    labels = (np.arange(n) % 4 == 0).astype(np.int64)
    with SampleWriter(folder, LAYOUT) as writer:
        writer.append(
            [f"{i}.png" for i in range(n)], labels, measures(n, seed, flip_rate=flip_rate)
        )
    return Samples(folder, LAYOUT)
