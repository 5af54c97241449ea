"""A comparison as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from semaudit.comparing import words
from semaudit.comparing.document import Comparison
from semaudit.report.terminal import WIDE, make_table, plain

_STYLES = {"better": "bold green", "worse": "bold red", "unclear": "dim", "same": "dim"}
_READING = 1 + words.CHANGE_HEADERS.index("reading")


def print_comparison(found: Comparison, console: Console) -> None:
    """Print the two audits, what changed number by number, and how the answers changed."""
    console.print(plain(f"semaudit compare: {words.subject(found)}", "bold"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in words.sides(found):
        grid.add_row(Text(f"  {name}"), plain(value))
    console.print(grid)
    for warning in found.warnings:
        console.print(plain(f"warning: {warning}", "bold red"))
    for note in found.notes:
        console.print(plain(f"note: {note}", "yellow"))
    console.print()
    clean = words.clean_rows(found)
    if clean:
        console.print(_changes("Clean pictures and the score", "number", clean, console))
    for title, rows in words.sections(found):
        console.print(_changes(title, "where", rows, console))
    if found.changes:
        console.print(Text(f"{words.how_to_read(found)}\n", style="dim"))
    churn = words.churn_rows(found)
    if churn:
        console.print(make_table("Answers of the two models", words.CHURN_HEADERS, churn))
        console.print(Text(f"{words.CHURN_NOTE}\n", style="dim"))
    said = words.mcnemar(found)
    if said is not None:
        console.print(Text(f"{said}\n"))
    console.print(Text(words.closing(found), style="bold"))


def _changes(title: str, first: str, rows: Sequence[tuple[str, ...]], console: Console) -> Table:
    """A table of changes; what a narrow terminal has no room for is left out."""
    shown = 1 + (words.BRIEF if console.width < WIDE else len(words.CHANGE_HEADERS))
    table = make_table(title, (first, *words.CHANGE_HEADERS)[:shown], ())
    for row in rows:
        cells = [plain(cell) for cell in row[:shown]]
        cells[_READING].stylize(_STYLES.get(row[_READING].removeprefix("mostly "), ""))
        table.add_row(*cells)
    return table
