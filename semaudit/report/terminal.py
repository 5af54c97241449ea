"""The report as a person reads it in a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from semaudit.report import text
from semaudit.report.breaking import broken_lines
from semaudit.report.document import Baseline, Report

WORST = 5

FILE_WIDTH = 132
"""Columns of what does not go to a terminal: enough for every table."""

WIDE = 112
"""Columns that the tables need to show all that they have."""

_ENDLESS = 10_000
_GATE = 30
"""Columns that a gate gets before what is said of it: a limit is not to be broken in two."""

_STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    "error": "bold red",
    "inconclusive": "bold yellow",
}


def to_text(report: Report, folder: Path | None = None) -> str:
    """What a terminal shows, without colours."""
    console = Console(file=io.StringIO(), width=FILE_WIDTH, highlight=False, color_system=None)
    with console.capture() as captured:
        print_report(report, console)
    return captured.get()


def print_report(report: Report, console: Console, *, out: str | None = None) -> None:
    """Print the whole report: facts, worst probes first, verdicts, worst pictures, classes."""
    console.print(plain(f"semaudit {report.semaudit}: {text.subject(report)}", "bold"))
    _print_facts(report, console)
    for warning in report.warnings:
        console.print(plain(f"warning: {text.short(warning, text.LONGEST_NOTE)}", "bold red"))
    doubts, notes = text.said_once(report)
    for doubt in doubts:
        console.print(plain(f"untrustworthy: {doubt}", "bold red"))
    for note in notes:
        console.print(plain(f"note: {note}", "yellow"))
    console.print()
    rows = text.probe_rows(report)
    if rows:
        _print_probes(report, rows, console)
    for title, headers, content in (
        ("Worst case, searched for", text.WORST_CASE_HEADERS, text.worst_case_rows(report)),
        ("Gradients", text.GRADIENT_HEADERS, text.gradient_rows(report)),
    ):
        if content:
            console.print(make_table(title, headers, content))
            if headers is text.GRADIENT_HEADERS:
                console.print(Text(f"{text.GRADIENT_NOTE}\n", style="dim"))
    print_verdicts(report, console)
    print_changes(report.baseline, console)
    if rows:
        worst = text.worst_rows(report, WORST)
        console.print(make_table("Worst pictures", text.WORST_HEADERS, worst))
    turns = text.flip_rows(report, WORST)
    if turns:
        console.print(make_table("Commonest flips", text.FLIP_HEADERS, turns))
    if rows:
        console.print(Text(text.footer(report), style="dim"))
    if report.preprocessing is not None:
        resizes = text.resize_rows(report.preprocessing)
        console.print()
        console.print(make_table("Other ways to resize", text.RESIZE_HEADERS, resizes))
        console.print(plain(f"{report.preprocessing.reading}\n", "dim"))
    if out is not None:
        console.print(plain(f"Audit written to {out}", "dim"))
    console.print(_closing(report))


def print_verdicts(report: Report, console: Console) -> None:
    """Print the gates, judged, and which probes break them by themselves."""
    if not report.verdicts:
        return
    headers, rows = text.verdict_table(report.verdicts)
    table = make_table("Gates", headers, ())
    table.columns[1].min_width = min(_GATE, max(len(row[1]) for row in rows))
    for outcome, *cells in rows:
        verdict = Text(outcome.upper(), style=_STYLES[outcome])
        table.add_row(verdict, *(plain(cell) for cell in cells))
    console.print(table)
    for judged in report.verdicts:
        if lines := broken_lines(report, judged):
            said = f"{text.printable(judged.gate)} is broken by {'; '.join(lines)}"
            console.print(plain(f"{said}\n"))
    console.print(Text(f"{text.GATE_NOTE}\n", style="dim"))


def print_changes(baseline: Baseline | None, console: Console) -> None:
    """Print what changed since the baseline, if there is one."""
    if baseline is None:
        return
    forms = [(text.CHANGE_HEADERS, text.change_rows(baseline)), *text.narrower_changes(baseline)]
    tables = [make_table("Since the baseline", headers, rows) for headers, rows in forms]
    endless = console.options.update(max_width=_ENDLESS)
    fits = (t for t in tables if console.measure(t, options=endless).maximum <= console.width)
    console.print(next(fits, tables[-1]))
    print_facts(text.change_facts(baseline), console)
    console.print(Text(f"{text.CHANGE_NOTE}\n", style="dim"))


def _print_probes(report: Report, rows: Sequence[tuple[str, ...]], console: Console) -> None:
    """Print the probes and the families; what a narrow terminal has no room for is left out."""
    headers, narrow = text.probe_headers(report), console.width < WIDE
    if narrow:
        headers, rows = _without_family(headers), [_without_family(row) for row in rows]
    console.print(make_table("Probes, worst first", headers, rows))
    families = text.family_rows(report, brief=narrow)
    console.print(make_table("Families", text.family_headers(report), families))


def _without_family(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (cells[0], *cells[2:])


def print_facts(facts: Sequence[tuple[str, str]], console: Console) -> None:
    """Print (name, text) in two columns."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(plain(name), plain(value))
    console.print(Padding(grid, (0, 0, 0, 2)))


def _print_facts(report: Report, console: Console) -> None:
    print_facts(text.headline(report), console)
    if report.degenerate is not None:
        console.print(plain(f"degenerate model: {report.degenerate}", "bold red"))


def _closing(report: Report) -> Text:
    """One last line, beside the prompt."""
    said = {text.word(verdict) for verdict in report.verdicts}
    worst = next((name for name in text.WORDS if name in said), None)
    above = " above" * bool(report.warnings)
    return Text(f"{text.closing(report)}{above}", style="bold" if worst is None else _STYLES[worst])


def make_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of text from outside, which is never taken for markup."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    return table


def plain(content: str, style: str = "") -> Text:
    """Text, never markup or control codes: names of pictures and classes come from outside."""
    return Text(text.printable(content), style=style)
