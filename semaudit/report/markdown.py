"""The report as Markdown, for a file or a pull request: what broke first, the rest folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from semaudit.report import text
from semaudit.report.breaking import broken_by
from semaudit.report.document import Baseline, Outcome, Report, Verdict

WORST = 10
MIB = 2**20
_ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
_BROKEN_HEADERS = ("gate", "probe", "estimate")
_CUT = "> What does not fit here was left out; it is in the audit's `report.md`.\n"


def to_markdown(report: Report, folder: Path | None = None) -> str:
    """Return the whole report."""
    return "\n\n".join([*_head(report), *_details(report)]) + "\n"


def to_markdown_within(report: Report, most: int) -> str:
    """Return as much of the report, from its beginning, as fits in so many bytes."""
    kept: list[str] = []
    room = most - len(_CUT.encode())
    for part in [*_head(report), *_details(report)]:
        room -= len(part.encode()) + 2
        if room < 0:
            return "".join(kept) + (_CUT if most >= len(_CUT.encode()) else "")
        kept.append(f"{part}\n\n")
    return "".join(kept)


def _head(report: Report) -> Iterator[str]:
    """The verdict, what broke, and the figures: what nobody should have to unfold."""
    yield f"# semaudit: {escape(text.outcome(report))}"
    yield f"Audited: {escape(text.subject(report))}"
    if report.degenerate is not None:
        yield f"**Degenerate model:** {escape(report.degenerate)}"
    for warning in report.warnings:
        yield f"**Warning:** {escape(text.short(warning, text.LONGEST_NOTE))}"
    for doubt in text.doubts(report):
        yield f"**Untrustworthy:** {escape(doubt)}"
    if report.verdicts:
        yield verdicts_to_markdown(report.verdicts)
    broken = [(verdict, each) for verdict in report.verdicts for each in broken_by(report, verdict)]
    if broken:
        rows = [(verdict.gate, each.name, text.estimated(each)) for verdict, each in broken[:WORST]]
        more = len(broken) - WORST
        left = f"\n\nAnd {more} more." if more > 0 else ""
        yield f"## What broke\n\n{table(_BROKEN_HEADERS, rows)}{left}"
    if report.baseline is not None:
        yield changes_to_markdown(report.baseline)
    yield "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in text.headline(report))
    families = text.family_rows(report)
    if families:
        yield f"## Families\n\n{table(text.family_headers(report), families)}"


def _details(report: Report) -> Iterator[str]:
    """The rest, a fold each."""
    compared = report.preprocessing
    resizes = text.resize_rows(compared) if compared else []
    for title, headers, rows in (
        ("Probes, worst first", text.probe_headers(report), text.probe_rows(report)),
        ("Worst case, searched for", text.WORST_CASE_HEADERS, text.worst_case_rows(report)),
        ("Gradients", text.GRADIENT_HEADERS, text.gradient_rows(report)),
        ("Worst pictures", text.WORST_HEADERS, text.worst_rows(report, WORST)),
        ("Commonest flips", text.FLIP_HEADERS, text.flip_rows(report, WORST)),
        ("Other ways to resize", text.RESIZE_HEADERS, resizes),
    ):
        if rows:
            yield _folded(title, table(headers, rows))
    if compared:
        yield escape(compared.reading)
    notes = text.notes(report)
    if notes:
        yield _folded("Notes", "\n".join(f"- {escape(note)}" for note in notes))
    yield (
        f"Means over {report.data.pictures:,} pictures with 95 % intervals. "
        f"semaudit {escape(report.semaudit)}, seed {report.seed}, "
        f"weights {_code(report.model.weights_sha256)}, pictures {_code(report.data.fingerprint)}."
    )


def _folded(title: str, content: str) -> str:
    # The empty lines make what is inside Markdown again.
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def _code(hexadecimal: str) -> str:
    return f"`{re.sub('[^0-9a-f]', '', hexadecimal)[:12]}`"


def verdicts_to_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return the gates, judged, the failed ones first."""
    ordered = sorted(verdicts, key=lambda verdict: _ORDER.index(verdict.outcome))
    verdicts_table = table(*text.verdict_table(ordered))
    return f"## Gates\n\n{verdicts_table}\n\n{text.GATE_NOTE}"


def changes_to_markdown(baseline: Baseline) -> str:
    """Return what changed since the baseline."""
    changes = table(text.CHANGE_HEADERS, text.change_rows(baseline))
    facts = "\n".join(f"- {name}: {escape(value)}" for name, value in text.change_facts(baseline))
    return f"## Since the baseline\n\n{facts}\n\n{changes}\n\n{text.CHANGE_NOTE}"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text from outside, made harmless."""
    heads = [escape(header) for header in headers]
    lines = [heads, ["---"] * len(headers), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(cell: str) -> str:
    """Make text from outside harmless: no markup, no line breaks, no control characters.

    Nor does it name people or issues, or link to anything, as GitHub makes of bare ``@name``,
    ``#1``, ``www.`` and ``https://``.
    """
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~!$])", r"\\\1", text.printable(cell).strip())
    escaped = escaped.replace("&", "&amp;").replace("@", "@&#8203;")
    escaped = re.sub(r"(\\#)(?=\d)", r"\1&#8203;", escaped)
    escaped = re.sub(r"\b(www)\.", r"\1\\.", escaped.replace("://", "\\://"), flags=re.I)
    # What would begin a list where it stands first.
    return re.sub(r"^(?:(\d+)([.)])|([-+]))(?=\s+\S)", r"\1\\\2\3", escaped)
