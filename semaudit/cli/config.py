"""``semaudit config``: the settings that a scan here would run with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semaudit.cli.common import require_format, stdout
from semaudit.cli.run import say_of_limits

if TYPE_CHECKING:
    from semaudit.settings import Resolved


def config(
    config: Annotated[Path | None, typer.Option(help="semaudit.yaml or a TOML file.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="That limits speak of, where a scan's flags name it.")
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="Python file that measures what limits speak of; it is run."),
    ] = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Print the resolved settings and where each came from; refuse limits that no scan could keep.

    From strongest to weakest:
    flags of a scan
    the environment: SEMAUDIT_SEED=1
    semaudit.yaml, or \\[tool.semaudit] in pyproject.toml
    defaults
    """
    import json

    from rich import box
    from rich.table import Table
    from rich.text import Text

    from semaudit.settings import Settings, resolve

    require_format(format)
    flags = {"baseline": baseline, "plugin": tuple(plugin) if plugin else None}
    resolved = resolve(flags, config=config)
    if resolved.settings.fail_on:
        _check_limits(resolved)
        say_of_limits(resolved, config)
    values = resolved.settings.model_dump(mode="json")
    if format == "json":
        rows = {
            name: {"value": value, "origin": resolved.origins[name]}
            for name, value in values.items()
        }
        print(json.dumps(rows, indent=1))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("setting", "value", "from", "what it is"):
        table.add_column(header, overflow="fold")
    for name, value in values.items():
        described = Settings.model_fields[name].description or ""
        origin = resolved.origins[name]
        style = "dim" if origin == "default" else "bold"
        shown = "-" if value is None else json.dumps(value)
        table.add_row(*(Text(cell, style=style) for cell in (name, shown, origin, described)))
    stdout().print(table)


def _check_limits(resolved: Resolved) -> None:
    """Refuse limits that no scan could judge; plugins are loaded only where a limit needs one."""
    from semaudit.gates.early import refuse_early

    if refuse_early(resolved):
        return
    from semaudit import gates
    from semaudit.gates.early import refuse_hopeless
    from semaudit.metrics import GATEABLE
    from semaudit.opening import load_plugins

    load_plugins(resolved.settings)
    limits = [gates.parse(text) for text in resolved.settings.fail_on]
    refuse_hopeless(limits, resolved.settings, GATEABLE)
