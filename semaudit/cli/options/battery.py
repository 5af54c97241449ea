"""The battery: under which changes, and how deep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.completing import batteries

_PANEL = "Battery"

Select = Annotated[
    list[str] | None,
    typer.Option(
        help="quick, standard, full, a family, a probe or a glob; repeatable.",
        autocompletion=batteries,
        rich_help_panel=_PANEL,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        help="Leave out, named the same way.", autocompletion=batteries, rich_help_panel=_PANEL
    ),
]
Battery = Annotated[
    Path | None,
    typer.Option(
        help="YAML file of a battery; --select then picks within it.", rich_help_panel=_PANEL
    ),
]
AtSsim = Annotated[
    float | None,
    typer.Option(
        help="Every probe at the one strength with this mean SSIM, as 0.95: equally visible.",
        rich_help_panel=_PANEL,
    ),
]
Plugin = Annotated[
    list[str] | None,
    typer.Option(
        help="Python file with perturbations or metrics; it is run.", rich_help_panel=_PANEL
    ),
]
Taxonomy = Annotated[
    str | None,
    typer.Option(
        help="Tree of classes that weighs the shift: head (the model's own weights), or a "
        "YAML or JSON file.",
        rich_help_panel=_PANEL,
    ),
]
Gradients = Annotated[
    bool | None,
    typer.Option(
        "--gradients/--no-gradients",
        help="Measure how smooth the input gradient is; on.",
        rich_help_panel=_PANEL,
    ),
]
GradientSamples = Annotated[
    int | None,
    typer.Option(
        help="Random draws in such an estimate; 4, or 2 if the battery is quick.",
        rich_help_panel=_PANEL,
    ),
]
WorstCase = Annotated[
    bool | None,
    typer.Option(
        "--worst-case",
        help="Look for worst cases thoroughly, of every kind unless --select names some; slow.",
        rich_help_panel=_PANEL,
    ),
]
WorstObjective = Annotated[
    str | None,
    typer.Option(help="What that search climbs: jsd, kl or margin.", rich_help_panel=_PANEL),
]
