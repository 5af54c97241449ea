"""The model: what is audited, and how its pictures are prepared."""

from __future__ import annotations

from typing import Annotated

import typer

_PANEL = "Model"

Model = Annotated[
    str | None,
    typer.Argument(
        help="A name (resnet50.a1_in1k, torchvision:resnet50, hf-hub:ORG/NAME), a file "
        "(checkpoint, TorchScript, .pt2, ONNX), or a factory (file.py:function; it is run)."
    ),
]
Arch = Annotated[
    str | None,
    typer.Option(
        help="Architecture of a checkpoint: timm's name, torchvision:NAME or file.py:function; "
        "'best' tries those that fit. Default: recognised.",
        rich_help_panel=_PANEL,
    ),
]
Pretrained = Annotated[
    bool | None,
    typer.Option(
        "--pretrained/--no-pretrained",
        help="Trained or random weights for a name.",
        rich_help_panel=_PANEL,
    ),
]
ModelKwargs = Annotated[
    list[str] | None,
    typer.Option(help="key=value for the builder; repeatable.", rich_help_panel=_PANEL),
]
UseEma = Annotated[
    bool | None,
    typer.Option("--use-ema", help="Take a checkpoint's averaged weights.", rich_help_panel=_PANEL),
]
UnsafeLoad = Annotated[
    bool | None,
    typer.Option(
        "--unsafe-load",
        help="Open a file even where that runs code in it.",
        rich_help_panel=_PANEL,
    ),
]
Activation = Annotated[
    str | None,
    typer.Option(
        help="softmax (one class), sigmoid (labels) or none (embedding).",
        rich_help_panel=_PANEL,
    ),
]
Outputs = Annotated[
    str | None,
    typer.Option(help="logits or probabilities, if not as they look.", rich_help_panel=_PANEL),
]
NumClasses = Annotated[
    int | None, typer.Option(help="Default: from the weights.", rich_help_panel=_PANEL)
]
InChans = Annotated[
    int | None, typer.Option(help="Default: from the weights.", rich_help_panel=_PANEL)
]
ImgSize = Annotated[
    int | None, typer.Option(help="Default: the model's own.", rich_help_panel=_PANEL)
]
InputSize = Annotated[str | None, typer.Option(help="As 3,224,224.", rich_help_panel=_PANEL)]
CropPct = Annotated[
    float | None, typer.Option(help="Share kept by the crop.", rich_help_panel=_PANEL)
]
CropMode = Annotated[
    str | None, typer.Option(help="center, squash or border.", rich_help_panel=_PANEL)
]
Interpolation = Annotated[
    str | None, typer.Option(help="Resize filter, as bicubic.", rich_help_panel=_PANEL)
]
Mean = Annotated[str | None, typer.Option(help="As 0.485,0.456,0.406.", rich_help_panel=_PANEL)]
Std = Annotated[str | None, typer.Option(help="As 0.229,0.224,0.225.", rich_help_panel=_PANEL)]
