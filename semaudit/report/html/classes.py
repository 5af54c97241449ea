"""What only the audit's tables tell: probes against classes, and where answers flip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from semaudit.layout import Array
from semaudit.report.document import Report
from semaudit.report.html.parts import Chart, Section, Table
from semaudit.report.html.words import label
from semaudit.report.text import number, percent
from semaudit.store import Samples

MOST = 30
"""Classes that a heat map has room for."""

BINS = 10

_COLUMN, _LETTER, _SCALE = 15, 7, 110
"""Pixels that a heat map takes: a probe, a letter of the classes' names, and the scale beside."""


def heat(report: Report, samples: Samples, names: Sequence[str]) -> Section:
    """The mean shift of each clean class under each probe that counts."""
    if report.model.activation == "none" or not samples.layout.families:
        return Section("classes", "Classes")
    tracks = samples.layout.matching(None)
    shifts = samples.rung("shift")
    spans = samples.layout.spans
    paths = np.stack([shifts[:, spans[t]].mean(axis=1, dtype=np.float64) for t in tracks], axis=1)
    classes, member = np.unique(samples.image("clean_class").astype(int), return_inverse=True)
    counts = np.bincount(member)
    means = np.stack([np.bincount(member, weights=column) / counts for column in paths.T], axis=1)
    weights = samples.layout.path_weights(tracks)[list(tracks)]
    order = np.argsort(-(means @ weights), kind="stable")[:MOST]
    said = [
        f"{label(_named(names, k))} ({n})"
        for k, n in zip(classes[order], counts[order], strict=True)
    ]
    return Section(
        "classes",
        "Probes against classes",
        charts=(_heat(report, samples, means[order], said, len(classes)),),
    )


def _heat(
    report: Report, samples: Samples, means: Array, classes: Sequence[str], total: int
) -> Chart:
    probes = [samples.layout.tracks[t].name for t in samples.layout.matching(None)]
    row, column = np.unravel_index(int(means.argmax()), means.shape)
    what = "label sets begin with" if report.model.activation == "sigmoid" else "clean answer is"
    few = f"the {len(classes)} that shift most, of {total:,}" if total > len(classes) else "all"
    says = (
        f"Mean shift of the pictures whose {what} a class, under each probe; {few} classes, in "
        f"brackets how many pictures. Largest: {number(float(means[row, column]))}, "
        f"{classes[int(row)]} under {probes[int(column)]}. Of few pictures, chance says much."
    )
    rows = [
        (name, *(number(float(value)) for value in line))
        for name, line in zip(classes, means, strict=True)
    ]
    return Chart(
        "heat",
        "class-chart",
        "Mean shift by class and probe",
        says,
        {
            "probes": [label(probe) for probe in probes],
            "classes": list(classes),
            "z": np.round(means, 4).tolist(),
        },
        Table.of("Mean shift by class and probe", ("class", *probes), rows),
        least=_COLUMN * len(probes) + _LETTER * max(len(name) for name in classes) + _SCALE,
    )


def _named(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else f"class {index}"


def onsets(report: Report, samples: Samples) -> Section:
    """At which share of its ladder an answer flips, by probe."""
    tracks = [samples.layout.tracks[t] for t in samples.layout.matching(None)]
    if report.model.activation == "none" or not tracks:
        return Section("onsets", "Onsets")
    found = samples.path("onset")[:, list(samples.layout.matching(None))]
    shares = found / [track.ladder[-1] for track in tracks]
    edges = np.linspace(0, 1, BINS + 1)
    counts = np.stack(
        [np.histogram(column[np.isfinite(column)].clip(0, 1), edges)[0] for column in shares.T]
    )
    never = np.isnan(shares).sum(axis=0)
    order = np.argsort(never, kind="stable")
    choices = [
        ("all probes", counts.sum(axis=0), int(never.sum())),
        *((tracks[k].name, counts[k], int(never[k])) for k in order),
    ]
    said = [percent(edge, 0) for edge in edges]
    bins = [f"{low} to {high}" for low, high in pairwise(said)]
    chart = Chart(
        "bins",
        "onset-chart",
        "Onsets: at which share of the ladder an answer first flips",
        f"Of {shares.size:,} paths {int(counts.sum()):,} flip, {int(never.sum()):,} never.",
        {
            "bins": bins,
            # Every second edge: all would not fit side by side on a phone.
            "ticks": [(k - 0.5, said[k]) for k in range(0, BINS + 1, 2)],
            "choices": [
                {"name": label(name), "counts": each.tolist(), "never": count}
                for name, each, count in choices
            ],
        },
        Table.of(
            "Paths by the share of the ladder at which they flip",
            ("probe", *bins, "never"),
            [(name, *(f"{n}" for n in each), f"{count}") for name, each, count in choices],
        ),
    )
    return Section("onsets", "Where answers flip", charts=(chart,))
