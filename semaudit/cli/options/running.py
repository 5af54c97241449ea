"""How it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "How it runs"

BatchSize = Annotated[
    str | None,
    typer.Option("--batch-size", "-b", help="auto, or pictures.", rich_help_panel=_PANEL),
]
Device = Annotated[
    str | None, typer.Option(help="auto, cuda, cuda:N, mps or cpu.", rich_help_panel=_PANEL)
]
AmpDtype = Annotated[
    str | None,
    typer.Option(
        help="auto (bfloat16 on CUDA), float32, bfloat16 or float16.", rich_help_panel=_PANEL
    ),
]
ChannelsLast = Annotated[
    bool | None,
    typer.Option("--channels-last/--no-channels-last", help="Default: on.", rich_help_panel=_PANEL),
]
Torchcompile = Annotated[
    bool | None,
    typer.Option("--torchcompile", help="Compile the model.", rich_help_panel=_PANEL),
]
Workers = Annotated[
    str | None,
    typer.Option("--workers", "-j", help="auto, or processes that read", rich_help_panel=_PANEL),
]
Seed = Annotated[int | None, typer.Option(help="Of draws and samples; 0.", rich_help_panel=_PANEL)]
Config = Annotated[
    Path | None,
    typer.Option(help="semaudit.yaml or a TOML file.", rich_help_panel=_PANEL),
]
