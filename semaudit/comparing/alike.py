"""Makes sure that two audits are of the same pictures, probes and seed; says what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from semaudit.comparing import plans
from semaudit.comparing.opening import Opened
from semaudit.comparing.plans import HASH, few, refuse
from semaudit.errors import AuditError
from semaudit.gates.shipped import recorded_metrics
from semaudit.metric import TRANSPORT, Metric
from semaudit.report.document import Report


def refuse_unlike(before: Opened, after: Opened, metrics: Sequence[str]) -> None:
    """Make sure that two audits can be compared on these metrics.

    Raises:
        AuditError: they cannot, with all that differs and both values of each.
    """
    refuse(before.name, after.name, _differences(before, after, metrics))


def _differences(before: Opened, after: Opened, metrics: Sequence[str]) -> Iterator[str]:
    one, other = before.plan, after.plan
    outputs = [*plans.outputs(one, other), *_classes(before, after)]
    yield from outputs
    yield from plans.seeds(one, other)
    yield from _pictures(before, after)
    yield from plans.probes(one, other)
    if not outputs:  # which bound the entropy, for one
        yield from _definitions(before, after, metrics)


def _classes(before: Opened, after: Opened) -> Iterator[str]:
    """The same classes in another order, whose answers are compared by number."""
    one, other = before.class_names, after.class_names
    if sorted(one) == sorted(other):  # other words for a class are no other class
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            if first != second:
                yield f"order of the classes: output {index} is {first!r} and {second!r}"
                return


def _pictures(before: Opened, after: Opened) -> Iterator[str]:
    one, other = before.samples.image_ids(), after.samples.image_ids()
    for audit, ids in ((before, one), (after, other)):
        if len(set(ids)) != len(ids):
            raise AuditError(f"{audit.name} is damaged: a picture is in it twice; scan again")
    only_one, only_other = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    if only_one or only_other:
        yield (
            f"pictures: {len(one):,} and {len(other):,}, of which {few(only_one)} only in "
            f"{before.name} and {few(only_other)} only in {after.name}"
        )
        return
    hashes = (before.report.data.fingerprint, after.report.data.fingerprint)
    if hashes[0] != hashes[1]:
        yield (
            "contents of the pictures, which have the same names: fingerprint "
            f"{hashes[0][:HASH]} and {hashes[1][:HASH]}"
        )
    yield from _labels(before, after, one, other)


def _labels(
    before: Opened, after: Opened, one: Sequence[str], other: Sequence[str]
) -> Iterator[str]:
    """Labels that are there in both, and not the same."""
    place = {image: row for row, image in enumerate(other)}
    first = before.samples.image("label")
    second = after.samples.image("label")[[place[image] for image in one]]
    unlike = np.flatnonzero(np.isfinite(first) & np.isfinite(second) & (first != second))
    if len(unlike):
        row = unlike[0]
        yield (
            f"labels of {len(unlike):,} pictures, as of {one[row]!r}: {first[row]:.0f} and "
            f"{second[row]:.0f}"
        )


def _definitions(before: Opened, after: Opened, metrics: Sequence[str]) -> Iterator[str]:
    """Metrics that both measured, and not as the same thing."""
    one, other = definitions(before, metrics), definitions(after, metrics)
    for name in metrics:
        if name in one and name in other and _what(one[name]) != _what(other[name]):
            yield f"metric {name}: {_what(one[name])} and {_what(other[name])}"
        files = [audit.metrics.get(name) for audit in (before, after)]
        if files[0] != files[1]:
            said = (each[:HASH] if each else "none" for each in files)
            yield f"plugin file of the metric {name}: {' and '.join(said)}"
    if TRANSPORT in metrics and before.taxonomy != after.taxonomy:
        yield f"tree of classes: {_tree(before)} and {_tree(after)}"
    estimated = any(one[name].level == "image" for name in metrics if _of_gradients(one.get(name)))
    if estimated and before.gradient_samples != after.gradient_samples:
        yield f"gradient samples: {before.gradient_samples} and {after.gradient_samples}"


def _of_gradients(metric: Metric | None) -> bool:
    return metric is not None and metric.needs_gradients


def _tree(audit: Opened) -> str:
    if audit.taxonomy is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in audit.taxonomy.items())


def definitions(audit: Opened, metrics: Sequence[str]) -> dict[str, Metric]:
    """What an audit measured, by name.

    Raises:
        AuditError: it says of one of ``metrics`` what semaudit does not.
    """
    return recorded_metrics(audit.report, _known(audit.report, metrics), audit.samples.folder)


def _known(report: Report, metrics: Sequence[str]) -> list[str]:
    there = {each.name for each in report.metrics}
    return [name for name in metrics if name in there]


def _what(metric: Metric) -> str:
    low, high = metric.bounds
    return f"column {metric.column!r}, once a {metric.level}, in [{low:g}, {high:g}]"
