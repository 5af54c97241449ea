"""``semaudit probes``: the claims of the battery, and the contract of one's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semaudit.cli import calibrate
from semaudit.cli.common import stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from semaudit.contract import Outcome
    from semaudit.probes import Probe

app = typer.Typer(no_args_is_help=True, help="Look at probes, and check your own.")

_STYLES = {"pass": "green", "FAIL": "bold red", "skip": "dim"}
_WORDS = {"FAIL": "failed", "skip": "skipped", "pass": "passed"}

_Select = Annotated[
    list[str] | None, typer.Option(help="Tags, families, probes or globs; repeatable.")
]
_Battery = Annotated[
    Path | None, typer.Option(help="YAML file of a battery; --select then picks within it.")
]
_Plugin = Annotated[
    list[str] | None, typer.Option(help="Python file with perturbations or metrics; it is run.")
]
_Format = Annotated[str, typer.Option(help="table or json.")]


@app.callback()
def _probes() -> None:
    """Look at probes, and check your own."""


@app.command(name="list")
def list_probes(
    select: _Select = None,
    battery: _Battery = None,
    plugin: _Plugin = None,
    format: _Format = "table",
) -> None:
    """List the probes: all, or those that a scan with these options would run.

    Exit codes:
    0 listed
    2 the command line, a plugin or a battery is wrong
    """
    import json

    from semaudit.probecard import LIST_HEADERS, list_rows, summary

    _check_format(format)
    probes = _opened(select, battery, plugin)
    if format == "json":
        print(json.dumps([summary(probe) for probe in probes], indent=1))
        return
    families = list_rows(probes)
    rows: list[Sequence[str]] = []
    for family, members in families.items():
        rows += [(family,), *((f"  {name}", *cells) for name, *cells in members)]
    console = stdout()
    console.print(_table(LIST_HEADERS, rows))
    kinds = "family" if len(families) == 1 else "families"
    console.print(f"{len(probes)} probe{'s' * (len(probes) != 1)} in {len(families)} {kinds}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A probe's name, as semaudit probes list has it.")],
    battery: _Battery = None,
    plugin: _Plugin = None,
    format: _Format = "table",
) -> None:
    """Show a probe: its claim, formula and source, its ladder and what is on record of it.

    Exit codes:
    0 shown
    2 there is no such probe, or a plugin or a battery is wrong
    """
    import json

    from semaudit.probecard import card, named

    _check_format(format)
    shown = card(named(name, _opened(None, battery, plugin)))
    if format == "json":
        print(json.dumps(shown, indent=1))
    else:
        _print(shown)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Python file with perturbations or metrics; it is run.")
    ] = None,
    select: _Select = None,
    battery: _Battery = None,
) -> None:
    """Check that perturbations and metrics keep their contract: the checks that ours pass.

    All that the file registers is checked; with --select or --battery, what the chosen probes use
    of it, or, without a file, all that they use.

    Exit codes:
    0 every clause holds
    1 a clause is broken
    2 the command line, the file or a battery is wrong
    """
    from semaudit.contract import examine_all
    from semaudit.errors import UsageError
    from semaudit.plugins import load_all

    chosen = bool(select or battery)
    if file is None and not chosen:
        raise UsageError("what to check? semaudit probes check FILE.py, or --select, or --battery")
    loaded = load_all([] if file is None else [file])
    counts: Counter[str] = Counter()
    for outcome in examine_all(
        None if file is None else loaded[-1], _opened(select, battery) if chosen else None
    ):
        counts[outcome.verdict] += 1
        _print_outcome(outcome)
    said = ", ".join(f"{counts[each]} {word}" for each, word in _WORDS.items() if counts[each])
    stdout().print(said, style=_STYLES["FAIL" if counts["FAIL"] else "pass"])
    raise typer.Exit(1 if counts["FAIL"] else 0)


app.command()(calibrate.calibrate)
app.command()(calibrate.preview)


def _opened(
    select: Sequence[str] | None, battery: Path | None, plugin: Sequence[str] | None = None
) -> tuple[Probe, ...]:
    """The probes that the options choose: all, or all of a battery file, where nothing does."""
    from semaudit.battery import open_battery
    from semaudit.plugins import load_all

    load_all(plugin or ())
    return open_battery(battery, select or (None if battery else ("full",))).probes


def _check_format(format: str) -> None:
    from semaudit.errors import UsageError

    if format not in ("table", "json"):
        raise UsageError(f"--format {format!r} is wrong: it should be table or json")


def _print(shown: dict[str, Any]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from semaudit.probecard import facts, formula, ladder
    from semaudit.report.text import printable

    console = stdout()
    console.print(Text(printable(f"{shown['name']} ({shown['family']})"), style="bold"))
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(shown):
        grid.add_row(Text(f"  {name}"), Text(printable(value)))
    console.print(grid)
    console.print(Text("\nFormula", style="bold"))
    lines = (printable(line) for line in formula(shown).splitlines())
    console.print(Padding.indent(Text("\n".join(lines)), 2))
    unit = f": {shown['unit']}" if shown["unit"] else ""
    console.print(Text(f"\nLadder{printable(unit)}", style="bold"))
    console.print(_table(*ladder(shown)))


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from semaudit.report.text import printable

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        # A row of one cell heads the rows below it.
        table.add_row(*(Text(printable(cell)) for cell in row), style="bold" * (len(row) == 1))
    return table


def _print_outcome(outcome: Outcome) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from semaudit.report.text import printable

    console = stdout()
    line = Text(outcome.verdict, style=_STYLES[outcome.verdict])
    line.append(printable(f"  {outcome.subject} {outcome.clause}"), style="none")
    console.print(line)
    if outcome.fault:
        console.print(Padding.indent(Text(printable(outcome.fault)), 6))
