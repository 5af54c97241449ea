"""The verdict: limits, and what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.completing import metrics

_PANEL = "Verdict"

FailOn = Annotated[
    list[str] | None,
    typer.Option(
        help=r"Limit, as 'flip_rate\[noise]<=0.05'; repeatable.",
        autocompletion=metrics,
        rich_help_panel=_PANEL,
    ),
]
AcceptInconclusive = Annotated[
    bool | None,
    typer.Option(
        "--accept-inconclusive", help="Exit 0 for inconclusive gates.", rich_help_panel=_PANEL
    ),
]
ExitZero = Annotated[
    bool | None,
    typer.Option("--exit-zero", help="Exit 0 for 1 and 4.", rich_help_panel=_PANEL),
]
Out = Annotated[Path | None, typer.Option(help="Folder for the audit.", rich_help_panel=_PANEL)]
Format = Annotated[
    str | None, typer.Option(help="table, json or markdown.", rich_help_panel=_PANEL)
]
Quiet = Annotated[
    bool | None,
    typer.Option("--quiet", "-q", help="Print verdicts only.", rich_help_panel=_PANEL),
]
