"""The verdict: limits, and what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.completing import formats, metrics
from semaudit.cli.rendering import FORMAT_HELP, WRITE_HELP

_PANEL = "Verdict"

FailOn = Annotated[
    list[str] | None,
    typer.Option(
        help=r"Limit, as 'flip_rate\[noise]<=0.05'; repeatable.",
        autocompletion=metrics,
        rich_help_panel=_PANEL,
    ),
]
Baseline = Annotated[
    Path | None,
    typer.Option(
        help="Audit of the same pictures, or its file from `semaudit baseline save`, for limits as "
        "'flip_rate<=baseline+0.01', 'new_flips<=0.01'.",
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
Write = Annotated[
    list[Path] | None,
    typer.Option("--write", "-o", help=WRITE_HELP, rich_help_panel=_PANEL),
]
KeepPictures = Annotated[
    int | None,
    typer.Option(
        help="Worst pictures to keep in the audit, for its HTML report; 12, or 0 if it is quick.",
        rich_help_panel=_PANEL,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(help=FORMAT_HELP, autocompletion=formats, rich_help_panel=_PANEL),
]
Quiet = Annotated[
    bool | None,
    typer.Option("--quiet", "-q", help="Print verdicts only.", rich_help_panel=_PANEL),
]
