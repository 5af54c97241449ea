"""What is compared of fewer pictures than there are, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from semaudit.comparing.pairs import Both, Pairs
from semaudit.layout import Array
from semaudit.metric import Metric

_UNITS = {"image": "picture", "path": "picture under one probe", "rung": "picture at one rung"}
_REASONS: Mapping[str, str] = {
    "gradient_turn": "a gradient that is 0 or not finite has no direction",
}


def gaps(pairs: Pairs, metrics: Sequence[Metric]) -> Iterator[str]:
    """Say of each metric where one of the audits has no value, so that neither is counted there."""
    for metric in metrics:
        yield from _gaps(metric, pairs.as_measured(metric))
    yield from _without_label(pairs.labels())


def _gaps(metric: Metric, both: Both) -> Iterator[str]:
    without = [np.isnan(each) for each in both]
    # A column without any value was not measured, as a turn where no gradient is taken.
    columns = ~(without[0] & without[1]).all(axis=0)
    first, second = (each[:, columns] for each in without)
    if not (first | second).any():
        return
    count = int((first | second).sum())
    reason = _REASONS.get(metric.name, "the number does not exist there")
    yield (
        f"{metric.name}: {count:,} of {first.size:,} values, each of a {_UNITS[metric.level]}, are "
        f"left out on both sides: before has none in {int(first.sum()):,}, after in "
        f"{int(second.sum()):,} ({reason})"
    )


def _without_label(labels: Array) -> Iterator[str]:
    unknown = np.isnan(labels)
    if unknown.any() and not unknown.all():
        yield f"accuracy: {int(unknown.sum()):,} of {labels.size:,} pictures have no label"
