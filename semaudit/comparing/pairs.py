"""The tables of two audits side by side: the same picture in a row, the same cell in a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semaudit.columns import matrix
from semaudit.comparing.opening import Opened
from semaudit.errors import AuditError
from semaudit.layout import Array, Layout
from semaudit.metric import Metric
from semaudit.statistics.evidence import ROUNDING

Both = tuple[Array, Array]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Two audits that were found alike, read in the order of the first.

    Attributes:
        before: the first.
        after: the second.
        rows: (N,) where the second has the first's pictures.
        tracks: (P,) where it has the first's probes.
        cells: (C,) where it has the first's cells.
    """

    before: Opened
    after: Opened
    rows: Indices
    tracks: Indices
    cells: Indices

    @property
    def layout(self) -> Layout:
        """The columns, as the first audit has them."""
        return self.before.samples.layout

    def measured(self, metric: Metric) -> Both:
        """Both matrices of a metric, (N, 1), (N, P) or (N, C); NaN where either has none.

        A cell that one model has no value in counts for neither: means then are of the same cells.

        Raises:
            AuditError: a value is outside the range of the metric.
        """
        one, other = self.as_measured(metric)
        neither = np.isnan(one) | np.isnan(other)
        return np.where(neither, np.nan, one), np.where(neither, np.nan, other)

    def as_measured(self, metric: Metric) -> Both:
        """The same, each with all that it has.

        Raises:
            AuditError: a value is outside the range of the metric.
        """
        one, other = (
            _checked(matrix(audit.samples, metric), metric, audit)
            for audit in (self.before, self.after)
        )
        other = other[self.rows]
        if metric.level != "image":
            other = other[:, self.tracks if metric.level == "path" else self.cells]
        return one, other

    def clean_classes(self) -> Both:
        """(N, 1) the top-1 classes of the clean pictures."""
        one, other = (
            _checked_classes(audit.samples.image("clean_class")[:, None], audit)
            for audit in (self.before, self.after)
        )
        return one, other[self.rows]

    def classes(self) -> Both:
        """(N, C) the top-1 classes of the changed pictures."""
        one, other = (_classes(audit) for audit in (self.before, self.after))
        return one, other[self.rows][:, self.cells]

    def labels(self) -> Array:
        """(N, 1) the labels, of the first audit or else of the second; NaN for none."""
        one, other = (a.samples.image("label")[:, None] for a in (self.before, self.after))
        return np.where(np.isnan(one), other[self.rows], one)


def paired(before: Opened, after: Opened) -> Pairs:
    """Line up two audits that `semaudit.comparing.alike` found alike."""
    one, other = before.samples.layout, after.samples.layout
    tracks = _places([t.name for t in one.tracks], [t.name for t in other.tracks])
    cells = np.concatenate([np.arange(other.spans[t].start, other.spans[t].stop) for t in tracks])
    rows = _places(before.samples.image_ids(), after.samples.image_ids())
    return Pairs(before, after, rows, tracks, cells)


def _places(wanted: Sequence[str], among: Sequence[str]) -> Indices:
    place = {name: index for index, name in enumerate(among)}
    return np.array([place[name] for name in wanted], dtype=np.int64)


def _classes(audit: Opened) -> Array:
    return _checked_classes(np.asarray(audit.samples.rung("class"), dtype=np.float64), audit)


def _checked_classes(classes: Array, audit: Opened) -> Array:
    """Every answer there: one that lacks would count as a wrong one."""
    known = (classes >= 0) & (classes < audit.report.model.num_classes)
    if not (known & (classes == np.floor(classes))).all():  # nor is NaN
        raise AuditError(
            f"{audit.name} is damaged: it holds answers that are no class of its model; scan again"
        )
    return classes


def _checked(values: NDArray[np.floating], metric: Metric, audit: Opened) -> Array:
    """In float64 and within the range of the metric; the samples are float32, which rounds."""
    checked = np.asarray(values, dtype=np.float64)
    # The score is read as the jump that it is made of.
    low, high = (0.0, 1.0) if metric.name == "score" else metric.bounds
    slack = ROUNDING * (high - low if np.isfinite(high) else 1.0)
    outside = (checked < low - slack) | (checked > high + slack) | np.isinf(checked)
    if outside.any():
        raise AuditError(
            f"{audit.name} is damaged: {metric.name} lies in [{low:g}, {high:g}], and one is "
            f"{checked[outside][0]:g}; scan again"
        )
    clipped: Array = np.clip(checked, low, high)
    return clipped
