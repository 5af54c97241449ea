"""What a GitHub job shows: a few annotations, and a summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from semaudit.report import text
from semaudit.report.breaking import broken_lines
from semaudit.report.document import Report
from semaudit.report.grading import Grade, by_grade, stops_as_degenerate
from semaudit.report.markdown import MIB, to_markdown_within

MOST = 10
"""Annotations of one step that GitHub shows."""
LONGEST = 4000
"""Characters of one annotation."""

_LEVELS = {
    Grade.FAILED: "error",
    Grade.UNJUDGED: "error",
    Grade.INCONCLUSIVE: "error",
    Grade.ACCEPTED: "warning",
}


def to_github(report: Report, folder: Path | None = None, *, accepted: bool = False) -> str:
    """Return workflow commands: what stops the job first, and one that sums up at the end."""
    found = list(_annotations(report, accepted))
    if len(found) > MOST - 1:
        left = len(found) - (MOST - 2)
        found = [*found[: MOST - 2], ("warning", "more", f"{left} more are in the job's summary")]
    passed = [
        f"{verdict.gate}: {text.estimated(verdict)}"
        for graded, verdict in by_grade(report, accepted=accepted)
        if graded is Grade.PASSED
    ]
    closing = "\n".join([text.closing(report), *map(text.printable, passed)])
    return "".join(_command(*each) for each in (*found, ("notice", text.subject(report), closing)))


def _annotations(report: Report, accepted: bool) -> Iterator[tuple[str, str, str]]:
    """(level, title, message)."""
    if report.degenerate is not None:
        level = "error" if stops_as_degenerate(report) else "warning"
        yield level, "degenerate model", text.printable(report.degenerate)
    for graded, verdict in by_grade(report, accepted=accepted):
        if graded is not Grade.PASSED:
            first = text.printable(f"{text.estimated(verdict)}; {verdict.reason}")
            lines = [first, *broken_lines(report, verdict)]
            yield _LEVELS[graded], f"{verdict.gate} {graded.value}", "\n".join(lines)
    for said in (*text.doubts(report), *report.warnings):
        yield "warning", "not to be trusted", text.printable(said)


def _command(level: str, title: str, message: str) -> str:
    """One annotation; a text from outside can end neither it nor its title."""
    name = text.short(text.printable(f"semaudit: {title}"), 200)
    command = f"::{level} title={_property(name)}::{_data(text.short(message, LONGEST))}"
    return command.replace("##[", "## [") + "\n"  # of an older kind, and obeyed anywhere in a line


def _data(content: str) -> str:
    return content.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(content: str) -> str:
    return _data(content).replace(":", "%3A").replace(",", "%2C")


def add_summary(report: Report, file: Path) -> None:
    """Append the report to a job's summary, which GitHub refuses as a whole above 1 MiB.

    Raises:
        OSError: it cannot be written.
    """
    there = file.stat().st_size if file.exists() else 0
    with file.open("a", encoding="utf-8", newline="") as summary:
        summary.write(to_markdown_within(report, MIB - there))
