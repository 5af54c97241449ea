"""A report with its gates judged, and with what changed since its baseline."""

from __future__ import annotations

from collections.abc import Sequence

from semaudit import gates
from semaudit.baselines.changes import changes
from semaudit.baselines.pairing import Pairing
from semaudit.gates import BoundGate
from semaudit.report.document import Report
from semaudit.store import Samples


def judged(
    report: Report, bound: Sequence[BoundGate], samples: Samples, pairing: Pairing | None
) -> Report:
    """Judge all gates.

    Args:
        report: as the samples make it.
        bound: the gates, bound to what they speak of.
        samples: of the audit.
        pairing: the audit beside its baseline, if it has one.
    """
    verdicts = gates.judge_report(bound, samples, report, pairing)
    found = None if pairing is None else changes(pairing)
    return report.model_copy(update={"verdicts": verdicts, "baseline": found})
