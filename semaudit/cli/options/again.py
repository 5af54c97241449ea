"""What an audit named, where it has moved, and what runs code and has to be named again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "What the audit named"

Model = Annotated[
    str | None,
    typer.Option(
        help="Where the model is now; or its factory, which is run.", rich_help_panel=PANEL
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="Where the pictures are now.", rich_help_panel=PANEL)
]
Arch = Annotated[
    str | None,
    typer.Option(
        help="Architecture of the checkpoint; or its factory, which is run.", rich_help_panel=PANEL
    ),
]
UnsafeLoad = Annotated[
    bool,
    typer.Option(
        "--unsafe-load",
        help="Open the model's file even where that runs code in it.",
        rich_help_panel=PANEL,
    ),
]
Device = Annotated[
    str | None, typer.Option(help="auto, cuda, cuda:N, mps or cpu.", rich_help_panel=PANEL)
]
Baseline = Annotated[
    Path | None,
    typer.Option(help="Where the baseline is now that its limits speak of.", rich_help_panel=PANEL),
]
