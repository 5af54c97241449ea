"""An audit beside its baseline: the numbers that paired gates are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semaudit.baselines.opening import refuse_unheld
from semaudit.baselines.rounding import rounded
from semaudit.columns import Part, bounds, fold
from semaudit.comparing.alike import definitions, refuse_unlike
from semaudit.comparing.changes import right
from semaudit.comparing.opening import Opened
from semaudit.comparing.pairs import Both, Pairs, paired
from semaudit.gates import BoundGate, Gate, Numbers
from semaudit.gates.judging import untrusted
from semaudit.layout import Array
from semaudit.metric import CHANGES, NEGATIVE_FLIPS, Metric
from semaudit.report.document import Against
from semaudit.statistics import differences

SHOWN = ("flip_rate", "shift")
"""What a report says of its baseline, whatever the limits are."""


@dataclass(frozen=True)
class Pairing:
    """An audit and its baseline, found alike.

    Attributes:
        pairs: the audit as the first, in whose order all is read, and its baseline.
    """

    pairs: Pairs

    @property
    def baseline(self) -> Opened:
        """What the audit is held against."""
        return self.pairs.after

    @property
    def untrusted(self) -> str | None:
        """Why worst cases and gradients of the baseline are not to be trusted, if so."""
        found = untrusted(self.baseline.report)
        return None if found is None else f"{found} (in the baseline)"

    def measured(self, metric: Metric) -> Both:
        """What it is now and in the baseline, rounded alike; NaN where either has none."""
        if metric.name == "accuracy":  # of the classes: the labels may be in one of the two only
            return right(self.pairs.clean_classes(), self.pairs.labels())
        now, then = (rounded(each, metric.bounds) for each in self.pairs.measured(metric))
        return now, then

    def flips(self) -> Both:
        """(N, C) whether the answer flipped now, and in the baseline."""
        return self.measured(definitions(self.pairs.before, ["flip_rate"])["flip_rate"])

    def numbers(self, bound: BoundGate) -> Numbers:
        """Return what a gate that needs a baseline is judged by."""
        if bound.metric.name in CHANGES:
            return Numbers(self._changes(bound)[:, 0])
        now, then = (
            self._folded(each, bound.metric, bound.part)[:, 0]
            for each in self.measured(bound.metric)
        )
        factor = bound.gate.factor
        assert factor is not None
        both = np.isfinite(now) & np.isfinite(then)
        against = None
        if both.any():
            means = [float(each[both].mean()) for each in (now, then)]
            against = Against(now=means[0], baseline=means[1], factor=factor)
        return Numbers(differences(then, now, factor), against)

    def _changes(self, bound: BoundGate) -> Array:
        if bound.metric == NEGATIVE_FLIPS:
            now, then = right(self.pairs.clean_classes(), self.pairs.labels())
            return only(then, now)
        return fold(only(*self.flips()), bound.metric, self.pairs.layout, [bound.part])

    def _folded(self, matrix: Array, metric: Metric, part: Part) -> Array:
        layout = self.pairs.layout
        folded: Array = np.clip(fold(matrix, metric, layout, [part]), *bounds(metric, layout, part))
        return folded


def only(one: Array, other: Array) -> Array:
    """Where something is so in ``one`` and not in ``other``: 1 or 0, NaN where either has none."""
    unknown = np.isnan(one) | np.isnan(other)
    return np.where(unknown, np.nan, (one > 0) & ~(other > 0))


def pair(now: Opened, baseline: Opened, limits: Sequence[Gate]) -> Pairing:
    """Line up an audit and its baseline, picture by picture.

    Args:
        now: the audit.
        baseline: what it is held against.
        limits: all of the audit's; those that need no baseline ask nothing of it.

    Raises:
        GateError: a limit speaks of what the baseline does not hold.
        AuditError: the two are not of the same pictures, probes, draws or definitions.
    """
    refuse_unheld(limits, baseline)
    asked = [limit.metric for limit in limits if limit.factor is not None]
    refuse_unlike(now, baseline, [*dict.fromkeys([*SHOWN, *asked])])
    return Pairing(paired(now, baseline))
