"""One number a picture, for any metric and any part of the battery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semaudit.layout import NOISE_FLOOR_FAMILY, Array, Layout, reduce
from semaudit.metric import NOISE_FLOOR, SCORE, Metric
from semaudit.store import Samples


@dataclass(frozen=True)
class Part:
    """A part of the battery: the tracks in it, and at which rung if at one."""

    tracks: tuple[int, ...]
    rung: float | int | None = None


def bounds(metric: Metric, layout: Layout, part: Part) -> tuple[float, float]:
    """The range of a metric on a part; an onset cannot exceed the ladder."""
    if metric.comparable:
        return metric.bounds
    return metric.bounds[0], max(layout.tracks[track].ladder[-1] for track in part.tracks)


def values(samples: Samples, metric: Metric, parts: Sequence[Part]) -> Array:
    """(N, len(parts)) one number a picture and part; NaN where the metric does not apply.

    A path that never flips has no onset: it counts as the ladder's last strength, which makes the
    mean the restricted mean of survival analysis, and errs to the small side.
    """
    return fold(matrix(samples, metric), metric, samples.layout, parts)


def matrix(samples: Samples, metric: Metric) -> NDArray[np.floating]:
    """A metric as it was measured: (N, 1) once a picture, (N, P) a path, (N, C) a cell."""
    if metric.level == "image":
        return samples.image(metric.column)[:, None]
    if metric.level == "rung":
        return samples.rung(metric.column)
    paths = samples.path(metric.column)
    if metric.comparable:
        return paths
    ends = np.array([track.ladder[-1] for track in samples.layout.tracks])
    return np.where(np.isnan(paths), ends, paths)


def fold(
    matrix: NDArray[np.floating], metric: Metric, layout: Layout, parts: Sequence[Part]
) -> Array:
    """(N, len(parts)) one number a picture and part, from a `matrix` of the metric."""
    if metric == NOISE_FLOOR:
        parts = [Part(layout.matching(NOISE_FLOOR_FAMILY))]
    if not parts:
        return np.empty((len(matrix), 0))
    if metric.level == "image":
        return np.repeat(np.asarray(matrix, dtype=np.float64), len(parts), axis=1)
    finite = np.isfinite(matrix).any(axis=0)
    if metric.level == "path":
        weights = [layout.path_weights(_having(part, finite)) for part in parts]
    else:
        present = np.array([finite[span].any() for span in layout.spans])
        weights = [layout.cell_weights(_having(part, present), part.rung) for part in parts]
    reduced = reduce(matrix, np.stack(weights, axis=1))
    return 100 * (1 - reduced) if metric == SCORE else reduced


def _having(part: Part, present: NDArray[np.bool_]) -> tuple[int, ...]:
    """The tracks of a part that a metric was measured on at all, or all where it was on none.

    A family then weighs what it does however many of its probes have gradients, say.
    """
    return tuple(track for track in part.tracks if present[track]) or part.tracks
