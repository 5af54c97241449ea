"""What a reader must know before believing a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from semaudit.comparing.opening import Opened
from semaudit.layout import ADVERSARIAL_FAMILY
from semaudit.report import text


def warnings(before: Opened, after: Opened) -> list[str]:
    """What makes one of the two audits say little, under the side that it is of."""
    return [
        f"{side}: {said}"
        for side, audit in (("before", before), ("after", after))
        for said in _warnings(audit)
    ]


def _warnings(audit: Opened) -> Iterator[str]:
    report = audit.report
    if report.degenerate is not None:
        yield f"degenerate model: {report.degenerate}; a constant answer is perfectly continuous"
    yield from report.warnings
    for doubt in text.doubts(report):
        yield f"untrustworthy: {doubt}"
    if report.data.smoke_test:
        yield "a smoke test on a few photographs, which decides nothing"
    if report.model.guessed_architecture:
        yield f"the architecture of {report.model.name} was guessed"


def notes(before: Opened, after: Opened, measured: Mapping[str, Sequence[bool]]) -> list[str]:
    """What differs between two audits that can be compared all the same.

    Args:
        before: the first audit.
        after: the second.
        measured: whether the one and the other measured a metric, by its name.
    """
    return list(_notes(before, after, measured))


def _notes(before: Opened, after: Opened, measured: Mapping[str, Sequence[bool]]) -> Iterator[str]:
    one, other = before.report, after.report
    if one.model.weights_sha256 == other.model.weights_sha256:
        yield "both audits are of the same weights"
    if one.model.activation == "sigmoid":
        yield "the answer to a picture is its first label; a flip is any change of its labels"
    if one.model.preprocessing != other.model.preprocessing:
        yield (
            "the models see the same pictures through different preprocessing: "
            f"{one.model.preprocessing}; and {other.model.preprocessing}"
        )
    if one.semaudit != other.semaudit:
        yield (
            f"the audits were made by semaudit {one.semaudit} and {other.semaudit}, whose probes "
            "of one name need not be the same"
        )
    if before.precision != after.precision:
        yield f"the models ran in {before.precision} and {after.precision}"
    searched = any(probe.family == ADVERSARIAL_FAMILY for probe in one.battery)
    if searched and before.differentiable != after.differentiable:
        without = before if after.differentiable else after
        yield f"the worst case of {without.name} was searched for without gradients: it may be weak"
    if one.data.labelled != other.data.labelled:
        labelled, bare = (before, after) if one.data.labelled else (after, before)
        yield f"{bare.name} has no labels: those of {labelled.name} are taken for both"
    for name, (first, second) in measured.items():
        if first != second:
            yield f"{name} is not compared: {(after if first else before).name} has none"
