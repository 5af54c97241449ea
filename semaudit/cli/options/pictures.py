"""The pictures: what it is audited on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Pictures"

Data = Annotated[
    Path | None,
    typer.Option(
        help="Folder of class folders or of pictures; a list (.csv .parquet .jsonl), tar "
        "shards, or arrays (.npz, IDX). Without it: a smoke test on a few photographs.",
        rich_help_panel=_PANEL,
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(help="timm data set at --data, as torch/cifar10.", rich_help_panel=_PANEL),
]
Split = Annotated[
    str | None, typer.Option(help="Part of the data, as validation.", rich_help_panel=_PANEL)
]
PathColumn = Annotated[
    str | None, typer.Option(help="Column of a list with the paths.", rich_help_panel=_PANEL)
]
LabelColumn = Annotated[
    str | None,
    typer.Option(help="Column, or JSON key, with the labels.", rich_help_panel=_PANEL),
]
Background = Annotated[
    str | None,
    typer.Option(help="What transparent pictures lie over; white.", rich_help_panel=_PANEL),
]
ClassMap = Annotated[
    Path | None,
    typer.Option(help="File that maps labels to outputs.", rich_help_panel=_PANEL),
]
LabelPattern = Annotated[
    str | None,
    typer.Option(
        help="Regex whose group is the label in a picture's name; others are left out.",
        rich_help_panel=_PANEL,
    ),
]
IgnoreLabels = Annotated[
    bool | None,
    typer.Option("--ignore-labels", help="Take as unlabelled.", rich_help_panel=_PANEL),
]
NumSamples = Annotated[
    int | None,
    typer.Option(help="Pictures to take, seeded, class-balanced.", rich_help_panel=_PANEL),
]
MaxUnreadable = Annotated[
    float | None,
    typer.Option(help="Share that may be unreadable; 0.01.", rich_help_panel=_PANEL),
]
ComparePreprocessing = Annotated[
    bool | None,
    typer.Option(
        "--compare-preprocessing",
        help="Also compare ways to resize on the clean pictures.",
        rich_help_panel=_PANEL,
    ),
]
TrustInputs = Annotated[
    bool | None,
    typer.Option(
        "--trust-inputs",
        help="Do not look for signs of wrong labels or preprocessing.",
        rich_help_panel=_PANEL,
    ),
]
