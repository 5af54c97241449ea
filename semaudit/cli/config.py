"""``semaudit config``: the settings that a scan here would run with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.common import stdout


def config(
    config: Annotated[Path | None, typer.Option(help="semaudit.yaml or a TOML file.")] = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Print the resolved settings and where each came from.

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

    from semaudit.errors import UsageError
    from semaudit.settings import Settings, resolve

    if format not in ("table", "json"):
        raise UsageError(f"--format {format!r} is wrong: it should be table or json")
    resolved = resolve(config=config)
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
