"""Made-up audits of many pictures, as folders: tables, report and manifest, without a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import semaudit
import semaudit.gradients
from semaudit.folder import MANIFEST, REPORT
from semaudit.layout import ADVERSARIAL_FAMILY, Array, Layout, Track
from semaudit.measurable import measurable
from semaudit.measure import Measures
from semaudit.metric import Level
from semaudit.metrics import METRICS
from semaudit.report.document import (
    Clean,
    Data,
    Doubt,
    Interval,
    Measured,
    Model,
    Probed,
    Report,
)
from semaudit.store import SampleWriter

LAYOUT = Layout(
    (
        Track("identity", "identity", (1.0,)),
        Track("hiss", "noise", (0.1, 0.2)),
        Track("grain", "noise", (0.1, 0.2, 0.4)),
        Track("lamp", "light", (0.05, 0.2)),
        Track("worst_linf", ADVERSARIAL_FAMILY, (0.001, 0.004)),
    )
)
CLASSES = 1000
NOTHING = Interval(value=0.5, low=0.4, high=0.6, n=1)
DOUBT = Doubt(name="vanishing_gradients", meaning="they vanish", evidence="0 of 8")


def columns(level: Level) -> list[str]:
    """What is measured at a level, but for what comes of the labels."""
    found = (each.column for each in METRICS.values() if each.level == level)
    return sorted(set(found) - {"correct"})


def bounded(column: str, values: Array) -> Array:
    """Numbers in [0, 1] stretched over the range of a column's metric."""
    metric = next(each for each in METRICS.values() if each.column == column)
    low, high = metric.bounds
    return -3 * np.log1p(-values) if np.isinf(high) else low + (high - low) * values


def measures(n: int, layout: Layout, seed: int, flip_rate: float) -> Measures:
    """Random numbers in every column; how prone a picture is to flip is its own."""
    rng = np.random.default_rng(seed)
    cells, tracks = len(layout.cells), len(layout.tracks)
    rungs = {name: bounded(name, rng.beta(0.5, 4, (n, cells))) for name in columns("rung")}
    prone = rng.beta(flip_rate, 1 - flip_rate, (n, 1))
    rungs["flip"] = (rng.random((n, cells)) < prone).astype(np.float64)
    paths = {name: bounded(name, rng.beta(0.5, 4, (n, tracks))) for name in columns("path")}
    paths["onset"] = np.full((n, tracks), np.nan)
    clean = np.random.default_rng(5).integers(0, CLASSES, n)
    other = rng.integers(0, CLASSES, (n, cells))
    return Measures(
        images={name: bounded(name, rng.beta(0.5, 4, n)) for name in columns("image")},
        paths=paths,
        rungs=rungs,
        clean_classes=np.where(rng.random(n) < 0.1, other[:, 0], clean),
        classes=np.where(rungs["flip"] > 0, other, clean[:, None]).astype(np.int64),
        output_sum=torch.ones(2),
    )


def made(
    out: Path,
    n: int = 60,
    *,
    seed: int = 0,
    layout: Layout = LAYOUT,
    flip_rate: float = 0.2,
    measured: Measures | None = None,
    ids: Sequence[str] | None = None,
    labelled: bool = True,
    **changes: Any,
) -> Path:
    """Write an audit's folder and return it; ``changes`` are to the report."""
    out.mkdir(parents=True)
    labels = np.random.default_rng(5).integers(0, CLASSES, n) if labelled else np.full(n, -1)
    with SampleWriter(out, layout) as writer:
        found = measured or measures(n, layout, seed, flip_rate)
        names = list(ids or (f"{i:05d}.png" for i in range(n)))
        writer.append(names, labels.astype(np.int64), found)
    report = _report(n, layout, labelled).model_copy(update=changes)
    (out / REPORT).write_text(report.model_dump_json(), "utf-8")
    (out / MANIFEST).write_text(json.dumps(_manifest()), "utf-8")
    return out


def _report(n: int, layout: Layout, labelled: bool) -> Report:
    metrics = measurable("softmax", CLASSES, gradients=True)
    return Report(
        semaudit=semaudit.__version__,
        model=Model(
            name="made.pt",
            num_classes=CLASSES,
            activation="softmax",
            input_size=(3, 8, 8),
            preprocessing="none",
            weights_sha256="ab" * 32,
            guessed_architecture=False,
            notes=[],
        ),
        data=Data(
            source="made",
            pictures=n,
            labelled=labelled,
            smoke_test=False,
            fingerprint="cd" * 32,
            unreadable=[],
            unreadable_count=0,
            notes=[],
        ),
        seed=0,
        score=NOTHING,
        degenerate=None,
        warnings=[],
        doubts=[],
        clean=Clean(
            accuracy=None, confidence=None, entropy=None, logit_norm=NOTHING, distinct_classes=9
        ),
        noise_floor=None,
        battery=[
            Probed(
                name=track.name,
                family=track.family,
                perturbation=track.name,
                claim="Nothing changes what the picture shows, however hard one looks at it.",
                ladder=list(track.ladder),
                sha256="ef" * 32,
            )
            for track in layout.tracks
        ],
        metrics=[Measured.of(metric) for metric in metrics.values()],
        estimates=[],
        curves=[],
        class_flips=[],
        preprocessing=None,
        worst=[],
        verdicts=[],
    )


def _manifest() -> dict[str, Any]:
    return {
        "created": "2026-01-01T00:00:00+00:00",
        "model": {"differentiable": True},
        "runtime": {"amp_dtype": "float32"},
        "gradients": {"samples": 4},
        "worst_case": {"steps": 5},
        "plugins": [],
    }
