"""The report as Markdown, for a file or a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from semaudit.report import text
from semaudit.report.document import Baseline, Report, Verdict

WORST = 10


def to_markdown(report: Report) -> str:
    """Return the whole report."""
    parts = [f"# semaudit: {escape(text.subject(report))}"]
    if report.degenerate is not None:
        parts.append(f"**Degenerate model:** {escape(report.degenerate)}")
    parts += [f"**Warning:** {escape(warning)}" for warning in report.warnings]
    parts += [f"**Untrustworthy:** {escape(doubt)}" for doubt in text.doubts(report)]
    if report.verdicts:
        parts.append(verdicts_to_markdown(report.verdicts))
    if report.baseline is not None:
        parts.append(changes_to_markdown(report.baseline))
    parts.append("\n".join(f"- {name}: {escape(value)}" for name, value in text.headline(report)))
    parts += [f"> {escape(note)}" for note in text.notes(report)]
    compared = report.preprocessing
    resizes = text.resize_rows(compared) if compared else []
    for title, headers, rows in (
        ("Probes, worst first", text.probe_headers(report), text.probe_rows(report)),
        ("Families", text.family_headers(report), text.family_rows(report)),
        ("Worst case, searched for", text.WORST_CASE_HEADERS, text.worst_case_rows(report)),
        ("Gradients", text.GRADIENT_HEADERS, text.gradient_rows(report)),
        ("Worst pictures", text.WORST_HEADERS, text.worst_rows(report, WORST)),
        ("Commonest flips", text.FLIP_HEADERS, text.flip_rows(report, WORST)),
        ("Other ways to resize", text.RESIZE_HEADERS, resizes),
    ):
        if rows:
            parts.append(f"## {title}\n\n{table(headers, rows)}")
    if compared:
        parts.append(escape(compared.reading))
    parts.append(
        f"Means over {report.data.pictures:,} pictures with 95 % intervals. "
        f"semaudit {report.semaudit}, seed {report.seed}, "
        f"weights `{report.model.weights_sha256[:12]}`, pictures `{report.data.fingerprint[:12]}`."
    )
    return "\n\n".join(parts) + "\n"


def verdicts_to_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return the gates, judged."""
    verdicts_table = table(text.VERDICT_HEADERS, text.verdict_rows(verdicts))
    return f"## Gates\n\n{verdicts_table}\n\n{text.GATE_NOTE}"


def changes_to_markdown(baseline: Baseline) -> str:
    """Return what changed since the baseline."""
    changes = table(text.CHANGE_HEADERS, text.change_rows(baseline))
    facts = "\n".join(f"- {name}: {escape(value)}" for name, value in text.change_facts(baseline))
    return f"## Since the baseline\n\n{facts}\n\n{changes}\n\n{text.CHANGE_NOTE}"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text from outside, made harmless."""
    lines = [headers, ["---"] * len(headers), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(cell: str) -> str:
    """Make text from outside harmless: no markup, no line breaks, no control characters."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", text.printable(cell))
    return escaped.replace("&", "&amp;")
