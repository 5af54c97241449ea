"""Makes sure that two audits are of the same pictures, probes and seed; says what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from semaudit.comparing.opening import Opened
from semaudit.errors import AuditError
from semaudit.gates.shipped import recorded_metrics
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.metric import Metric
from semaudit.report.document import Probed, Report

NAMED = 3
"""How many pictures or probes of a kind a message names."""

_HASH = 16  # characters


def refuse_unlike(before: Opened, after: Opened, metrics: Sequence[str]) -> None:
    """Make sure that two audits can be compared on these metrics.

    Raises:
        AuditError: they cannot, with all that differs and both values of each.
    """
    found = list(_differences(before, after, metrics))
    if found:
        lines = "\n".join(f"  {each}" for each in found)
        raise AuditError(
            f"{before.name} and {after.name} cannot be compared, for these differ:\n{lines}\n"
            "scan one of them again as the other was"
        )


def _differences(before: Opened, after: Opened, metrics: Sequence[str]) -> Iterator[str]:
    one, other = before.report, after.report
    outputs = [
        f"{what}: {first} and {second}"
        for what, first, second in (
            ("activation", one.model.activation, other.model.activation),
            ("classes", one.model.num_classes, other.model.num_classes),
        )
        if first != second
    ]
    yield from outputs
    if one.seed != other.seed:
        yield f"seed: {one.seed} and {other.seed}"
    yield from _pictures(before, after)
    yield from _probes(before, after)
    if not outputs:  # which bound the entropy, for one
        yield from _definitions(before, after, metrics)


def _pictures(before: Opened, after: Opened) -> Iterator[str]:
    one, other = before.samples.image_ids(), after.samples.image_ids()
    for audit, ids in ((before, one), (after, other)):
        if len(set(ids)) != len(ids):
            raise AuditError(f"{audit.name} is damaged: a picture is in it twice; scan again")
    only_one, only_other = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    if only_one or only_other:
        yield (
            f"pictures: {len(one):,} and {len(other):,}, of which {_few(only_one)} only in "
            f"{before.name} and {_few(only_other)} only in {after.name}"
        )
        return
    hashes = (before.report.data.fingerprint, after.report.data.fingerprint)
    if hashes[0] != hashes[1]:
        yield (
            "contents of the pictures, which have the same names: fingerprint "
            f"{hashes[0][:_HASH]} and {hashes[1][:_HASH]}"
        )
    yield from _labels(before, after, one, other)


def _few(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = ", ..." if len(names) > NAMED else ""
    return f"{len(names):,} ({', '.join(map(repr, names[:NAMED]))}{more})"


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


def _probes(before: Opened, after: Opened) -> Iterator[str]:
    one = {probe.name: probe for probe in before.report.battery}
    other = {probe.name: probe for probe in after.report.battery}
    only_one = [name for name in one if name not in other]
    only_other = [name for name in other if name not in one]
    if only_one or only_other:
        yield (
            f"probes: {len(one)} and {len(other)}, of which {_few(only_one)} only in "
            f"{before.name} and {_few(only_other)} only in {after.name}"
        )
    shared = [(one[name], other[name]) for name in one if name in other]
    for first, second in shared:
        yield from _probe(first, second)
    brought = {first.perturbation for first, _ in shared}
    for name in sorted(brought):
        hashes = [audit.plugins.get(name) for audit in (before, after)]
        if hashes[0] != hashes[1]:
            said = (each[:_HASH] if each else "none" for each in hashes)
            yield f"plugin file of the perturbation {name}: {' and '.join(said)}"
    searched = any(first.family == ADVERSARIAL_FAMILY for first, _ in shared)
    if searched and before.effort != after.effort:
        yield f"search for worst cases: {_effort(before)} and {_effort(after)}"


def _probe(first: Probed, second: Probed) -> Iterator[str]:
    ladders = [", ".join(f"{x:g}" for x in probe.ladder) for probe in (first, second)]
    for what, one, other in (
        ("family", first.family, second.family),
        ("perturbation", first.perturbation, second.perturbation),
        ("ladder", *ladders),
    ):
        if one != other:
            yield f"{what} of the probe {first.name}: {one} and {other}"


def _effort(audit: Opened) -> str:
    if audit.effort is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in audit.effort.items())


def _definitions(before: Opened, after: Opened, metrics: Sequence[str]) -> Iterator[str]:
    """Metrics that both measured, and not as the same thing."""
    one, other = definitions(before, metrics), definitions(after, metrics)
    for name in metrics:
        if name in one and name in other and _what(one[name]) != _what(other[name]):
            yield f"metric {name}: {_what(one[name])} and {_what(other[name])}"


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
