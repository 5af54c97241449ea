"""Which pictures are worst, and which classes turn into which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semaudit.columns import Part, values
from semaudit.metric import Metric
from semaudit.report.document import ClassFlip, WorstPicture
from semaudit.store import Samples

WORST = 10
CLASS_FLIPS = 50


def class_flips(samples: Samples, names: Sequence[str]) -> list[ClassFlip]:
    """The commonest turns from one class to another, by pictures and then by cells."""
    before = samples.image("clean_class").astype(np.int64)
    after = samples.rung("class").astype(np.int64)
    pictures, cells = np.nonzero((after != before[:, None]) & samples.layout.counted)
    pairs = np.stack([before[pictures], after[pictures, cells], pictures], axis=1)
    per_picture, counts = np.unique(pairs, axis=0, return_counts=True)
    turns, first, in_pictures = np.unique(
        per_picture[:, :2], axis=0, return_index=True, return_counts=True
    )
    in_cells = np.add.reduceat(counts, first) if len(first) else np.zeros(0, dtype=np.int64)
    order = np.lexsort((-in_cells, -in_pictures))[:CLASS_FLIPS]
    return [
        ClassFlip(
            from_class=int(turns[k, 0]),
            to_class=int(turns[k, 1]),
            from_name=names[turns[k, 0]],
            to_name=names[turns[k, 1]],
            pictures=int(in_pictures[k]),
            cells=int(in_cells[k]),
        )
        for k in order
    ]


def worst_pictures(
    samples: Samples,
    names: Sequence[str],
    shift: Metric,
    flip_rate: Metric,
    count: int = WORST,
) -> list[WorstPicture]:
    """The pictures with the largest mean shift over the battery, each with its worst cell."""
    layout = samples.layout
    if not layout.families:
        return []
    whole = [Part(layout.matching(None))]
    shifts = values(samples, shift, whole)[:, 0]
    flips = values(samples, flip_rate, whole)[:, 0]
    order = np.argsort(-shifts, kind="stable")[:count]
    cells = np.where(samples.layout.counted, samples.rung(shift.column)[order], -1.0)
    before = samples.image("clean_class").astype(np.int64)
    after = samples.rung("class")
    labels, confidence, ids = (
        samples.image("label"),
        samples.image("confidence"),
        samples.image_ids(),
    )
    found = []
    for row, picture in enumerate(order):
        cell = int(cells[row].argmax())
        track, rung = layout.cells[cell]
        to_class = int(after[picture, cell])
        found.append(
            WorstPicture(
                image=ids[picture],
                label=None if np.isnan(labels[picture]) else int(labels[picture]),
                clean_class=int(before[picture]),
                clean_name=names[before[picture]],
                confidence=_known(confidence[picture]),
                shift=float(shifts[picture]),
                flip_rate=_known(flips[picture]),
                probe=layout.tracks[track].name,
                strength=layout.tracks[track].ladder[rung],
                cell_shift=float(cells[row, cell]),
                to_class=to_class,
                to_name=names[to_class],
            )
        )
    return found


def _known(value: float) -> float | None:
    """NaN, where a metric does not apply, is null in the document."""
    return None if np.isnan(value) else float(value)
