"""A case as a person reads it in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from semaudit.inspecting import words
from semaudit.inspecting.case import Case
from semaudit.report.text import printable, strength


def print_case(case: Case, console: Console, *, number: int, file: str | None = None) -> None:
    """Print what one case shows."""
    console.print(_plain(f"{number}. {case.image_id}", "bold"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value, style in _facts(case):
        facts.add_row(Text(f"   {name}", style="dim"), _plain(value, style))
    console.print(facts)
    found = words.rows(case)
    if found:
        console.print(Padding(_table(case, found), (0, 0, 0, 2)))
    for note in case.notes:
        console.print(_plain(f"   note: {note}", "yellow"))
    if file is not None:
        console.print(_plain(f"   drawn in {file}", "dim"))
    console.print()


def _facts(case: Case) -> list[tuple[str, str, str]]:
    searched = ", looked for" if case.searched else ""
    facts = [
        ("label", words.label(case), ""),
        ("clean answer", words.clean_answer(case), ""),
        ("probe", f"{case.probe.name} ({case.probe.family}{searched})", ""),
        ("claim", case.probe.claim, ""),
        ("strength", words.of_ladder(case), ""),
        ("flips", words.where(case), "bold red" if case.flips else "bold green"),
    ]
    if case.random:
        facts[-1] = ("flips", words.where(case), "bold yellow")
    if case.activation == "none":
        facts[-1] = ("breaks", words.where(case), "bold")
    facts += [("", line, "yellow") for line in words.course(case)]
    if words.turned(case):
        facts.append(("answer", words.turned(case), "bold" if case.flips else ""))
    facts += [
        ("the break" if case.flips else "that step", words.leap(case), ""),
        *([("gradient turn", words.turn(case), "")] if case.gradient_turn is not None else []),
        ("picture moved", words.moved(case), ""),
    ]
    return facts


def _table(case: Case, rows: list[tuple[str, str, str, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k, header in enumerate(("class", "clean", *sides(case))):
        table.add_column(header, overflow="fold", justify="right" if k else "left")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    return table


def sides(case: Case) -> tuple[str, str]:
    """What the two sides of the break are called."""
    if case.flips:
        return "just before", "just past"
    return f"at {strength(case.before.strength)}", f"at {strength(case.after.strength)}"


def _plain(content: str, style: str = "") -> Text:
    """Text, never markup or control codes: names of pictures and classes come from outside."""
    return Text(printable(content), style=style)
