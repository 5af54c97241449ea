"""Judges the gates of an audit again, and says what its report claims otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semaudit import baselines, gates
from semaudit.baselines.identity import found_again
from semaudit.comparing.opening import gathered
from semaudit.figures import Difference, differences
from semaudit.folder import MANIFEST, reading_manifest
from semaudit.gates.deciding import refuse_undeciding
from semaudit.gates.judging import recorded_limits
from semaudit.gates.shipped import recorded_metrics
from semaudit.report.document import Report, Verdict
from semaudit.report.text import word
from semaudit.store import Samples


@dataclass(frozen=True)
class Judged:
    """What judging again showed.

    Attributes:
        report: with the verdicts, and what changed since the baseline, as the tables make them.
        claims: what the report claims otherwise, a line each.
        figures: the numbers of verdicts that are not equal to the last bit.
        exit_code: that the scan ended with, by its settings and the verdicts of the tables.
        unheld: why the gates could not be judged again, if so.
    """

    report: Report
    claims: tuple[str, ...] = ()
    figures: tuple[Difference, ...] = ()
    exit_code: int | None = None
    unheld: str | None = None


def judged_again(
    report: Report,
    again: Report,
    samples: Samples,
    manifest: Mapping[str, Any],
    audit: Path,
    baseline: Path | None,
) -> Judged:
    """Judge the limits of an audit by the code that `semaudit gate` judges by.

    Args:
        report: as it stands in the audit.
        again: the same with all figures as the tables make them.
        samples: the tables.
        manifest: of the audit.
        audit: its folder.
        baseline: where the baseline is now; None for where it was.

    Raises:
        SemauditError: the limits cannot be judged, or the baseline not be read.
    """
    path, missing = found_again(manifest, audit, baseline)
    if missing is not None:
        return Judged(report, unheld=missing)
    limits = recorded_limits(report, audit)
    pairing = None
    if path is not None:
        now = gathered(str(audit), again, samples, manifest)
        pairing = baselines.pair(now, baselines.open_baseline(path), limits)
    if limits:
        refuse_undeciding(report, str(audit))
    metrics = recorded_metrics(report, [each.metric for each in limits], audit)
    layout, labelled = report.layout, report.data.labelled
    bound = gates.bind(limits, metrics, layout, labelled, report.model.activation)
    found = baselines.judged(again, bound, samples, pairing)
    with reading_manifest(audit / MANIFEST):
        settings = manifest["settings"]
        flags = {name: bool(settings[name]["value"]) for name in _FLAGS}
    codes = [
        gates.exit_code(each.verdicts, degenerate=report.degenerate is not None, **flags)
        for each in (report, found)
    ]
    return Judged(
        found,
        claims=tuple(_claims(report, found, codes)),
        figures=tuple(_figures(report.verdicts, found.verdicts)),
        exit_code=codes[1],
    )


_FLAGS = ("accept_inconclusive", "exit_zero")


def _claims(report: Report, found: Report, codes: Sequence[int]) -> Iterator[str]:
    for said, judged in zip(report.verdicts, found.verdicts, strict=True):
        if said.outcome is not judged.outcome:
            yield f"report.json says {said.gate}: {word(said)}, and the tables {word(judged)}"
    if codes[0] != codes[1]:
        yield f"by report.json the exit code was {codes[0]}, and by the tables {codes[1]}"
    if (report.baseline is None) != (found.baseline is None):
        yield "report.json and manifest.json do not say the same of whether there was a baseline"
    elif report.baseline is not None and found.baseline is not None:
        for name in ("model", "weights_sha256", "semaudit"):
            if getattr(report.baseline, name) != getattr(found.baseline, name):
                yield f"report.json says of the baseline another {name} than the baseline itself"


def _figures(before: Sequence[Verdict], after: Sequence[Verdict]) -> list[Difference]:
    one, other = (
        {f"{gate} of {verdict.gate}": value for verdict in verdicts
         for gate, value in _numbers(verdict)}
        for verdicts in (before, after)
    )  # fmt: skip
    return differences(one, other)


def _numbers(verdict: Verdict) -> Iterator[tuple[str, float | None]]:
    for name in ("value", "low", "high", "level", "n", "pictures_to_decide"):
        yield name, getattr(verdict, name)
    if verdict.against is not None:
        yield from verdict.against
