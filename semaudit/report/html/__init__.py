"""The report as one HTML file: self-contained, offline, for a screen, a phone or paper."""

from __future__ import annotations

from pathlib import Path

from semaudit.report.document import Report


def to_html(report: Report, audit_folder: Path | None) -> str:
    """Return the whole report.

    Args:
        report: the document.
        audit_folder: where its tables, its manifest and the kept pictures are; what needs them is
            left out where it is None.

    Raises:
        AuditError: the folder's tables or pictures are damaged.
        UsageError: a package of the extra ``html`` is missing.
    """
    from semaudit.report.html.library import require

    require()
    from semaudit.report.html.page import render

    return render(report, audit_folder)


__all__ = ["to_html"]
