"""Audits that decide nothing, whatever their numbers are."""

from __future__ import annotations

from semaudit.errors import GateError
from semaudit.report.document import Report


def refuse_undeciding(report: Report, name: str) -> None:
    """Refuse an audit that no limit can be judged on.

    Args:
        report: of the audit.
        name: what the message calls it.

    Raises:
        GateError: it is a smoke test, or of a guessed architecture.
    """
    if report.data.smoke_test:
        raise GateError(
            f"{name} is a smoke test on a few photographs, which decides nothing: scan pictures "
            "of your own with --data"
        )
    if report.model.guessed_architecture:
        raise GateError(
            f"the architecture of {report.model.name} was guessed in {name}, and a guess decides "
            "nothing: scan with --arch, or on labelled pictures"
        )
