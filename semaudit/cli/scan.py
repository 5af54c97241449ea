"""``semaudit scan``: audit a model on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semaudit.cli.run import run_scan

_MODEL, _DATA, _RUN, _BATTERY, _OUT = "Model", "Pictures", "How it runs", "Battery", "Verdict"


def scan(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            help="A name (resnet50.a1_in1k, torchvision:resnet50, hf-hub:ORG/NAME), a file "
            "(checkpoint, TorchScript, .pt2, ONNX), or a factory (file.py:function; it is run)."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of class folders or of pictures; a list (.csv .parquet .jsonl), tar "
            "shards, or arrays (.npz, IDX). Without it: a smoke test on a few photographs.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="timm data set at --data, as torch/cifar10.", rich_help_panel=_DATA),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of the data, as validation.", rich_help_panel=_DATA)
    ] = None,
    path_column: Annotated[
        str | None, typer.Option(help="Column of a list with the paths.", rich_help_panel=_DATA)
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="Column, or JSON key, with the labels.", rich_help_panel=_DATA),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(help="What transparent pictures lie over; white.", rich_help_panel=_DATA),
    ] = None,
    class_map: Annotated[
        Path | None,
        typer.Option(help="File that maps labels to outputs.", rich_help_panel=_DATA),
    ] = None,
    label_pattern: Annotated[
        str | None,
        typer.Option(
            help="Regex whose group is the label in a picture's name; others are left out.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    ignore_labels: Annotated[
        bool | None,
        typer.Option("--ignore-labels", help="Take as unlabelled.", rich_help_panel=_DATA),
    ] = None,
    num_samples: Annotated[
        int | None,
        typer.Option(help="Pictures to take, seeded, class-balanced.", rich_help_panel=_DATA),
    ] = None,
    max_unreadable: Annotated[
        float | None,
        typer.Option(help="Share that may be unreadable; 0.01.", rich_help_panel=_DATA),
    ] = None,
    compare_preprocessing: Annotated[
        bool | None,
        typer.Option(
            "--compare-preprocessing",
            help="Also compare ways to resize on the clean pictures.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    trust_inputs: Annotated[
        bool | None,
        typer.Option(
            "--trust-inputs",
            help="Do not look for signs of wrong labels or preprocessing.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            help="Architecture of a checkpoint: timm's name, torchvision:NAME or file.py:function; "
            "'best' tries those that fit. Default: recognised.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option(
            "--pretrained/--no-pretrained",
            help="Trained or random weights for a name.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    model_kwargs: Annotated[
        list[str] | None,
        typer.Option(help="key=value for the builder; repeatable.", rich_help_panel=_MODEL),
    ] = None,
    use_ema: Annotated[
        bool | None,
        typer.Option(
            "--use-ema", help="Take a checkpoint's averaged weights.", rich_help_panel=_MODEL
        ),
    ] = None,
    unsafe_load: Annotated[
        bool | None,
        typer.Option(
            "--unsafe-load",
            help="Open a file even where that runs code in it.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            help="softmax (one class), sigmoid (labels) or none (embedding).",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    outputs: Annotated[
        str | None,
        typer.Option(help="logits or probabilities, if not as they look.", rich_help_panel=_MODEL),
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option(help="Default: from the weights.", rich_help_panel=_MODEL)
    ] = None,
    in_chans: Annotated[
        int | None, typer.Option(help="Default: from the weights.", rich_help_panel=_MODEL)
    ] = None,
    img_size: Annotated[
        int | None, typer.Option(help="Default: the model's own.", rich_help_panel=_MODEL)
    ] = None,
    input_size: Annotated[
        str | None, typer.Option(help="As 3,224,224.", rich_help_panel=_MODEL)
    ] = None,
    crop_pct: Annotated[
        float | None, typer.Option(help="Share kept by the crop.", rich_help_panel=_MODEL)
    ] = None,
    crop_mode: Annotated[
        str | None, typer.Option(help="center, squash or border.", rich_help_panel=_MODEL)
    ] = None,
    interpolation: Annotated[
        str | None, typer.Option(help="Resize filter, as bicubic.", rich_help_panel=_MODEL)
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="As 0.485,0.456,0.406.", rich_help_panel=_MODEL)
    ] = None,
    std: Annotated[
        str | None, typer.Option(help="As 0.229,0.224,0.225.", rich_help_panel=_MODEL)
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option("--batch-size", "-b", help="auto, or pictures.", rich_help_panel=_RUN),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cuda, cuda:N, mps or cpu.", rich_help_panel=_RUN)
    ] = None,
    amp_dtype: Annotated[
        str | None,
        typer.Option(
            help="auto (bfloat16 on CUDA), float32, bfloat16 or float16.", rich_help_panel=_RUN
        ),
    ] = None,
    channels_last: Annotated[
        bool | None,
        typer.Option(
            "--channels-last/--no-channels-last", help="Default: on.", rich_help_panel=_RUN
        ),
    ] = None,
    torchcompile: Annotated[
        bool | None,
        typer.Option("--torchcompile", help="Compile the model.", rich_help_panel=_RUN),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option("--workers", "-j", help="auto, or processes that read.", rich_help_panel=_RUN),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of draws and samples; 0.", rich_help_panel=_RUN)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="semaudit.yaml or a TOML file.", rich_help_panel=_RUN),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            help="quick, standard, full, a family, a probe or a glob; repeatable.",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="Leave out, named the same way.", rich_help_panel=_BATTERY),
    ] = None,
    battery: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of a battery; --select then picks within it.", rich_help_panel=_BATTERY
        ),
    ] = None,
    at_ssim: Annotated[
        float | None,
        typer.Option(
            help="Every probe at the one strength with this mean SSIM, as 0.95: equally visible.",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            help="Python file with perturbations or metrics; it is run.", rich_help_panel=_BATTERY
        ),
    ] = None,
    taxonomy: Annotated[
        str | None,
        typer.Option(
            help="Tree of classes that weighs the shift: head (the model's own weights), or a "
            "YAML or JSON file.",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    gradients: Annotated[
        bool | None,
        typer.Option(
            "--gradients/--no-gradients",
            help="Measure how smooth the input gradient is; on.",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    gradient_samples: Annotated[
        int | None,
        typer.Option(
            help="Random draws in such an estimate; 4, or 2 if the battery is quick.",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    worst_case: Annotated[
        bool | None,
        typer.Option(
            "--worst-case",
            help="Look for worst cases of every kind (the family adversarial), and thoroughly.",
            rich_help_panel=_BATTERY,
        ),
    ] = None,
    worst_objective: Annotated[
        str | None,
        typer.Option(help="What that search climbs: jsd, kl or margin.", rich_help_panel=_BATTERY),
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            help=r"Limit, as 'flip_rate\[noise]<=0.05'; repeatable.", rich_help_panel=_OUT
        ),
    ] = None,
    accept_inconclusive: Annotated[
        bool | None,
        typer.Option(
            "--accept-inconclusive", help="Exit 0 for inconclusive gates.", rich_help_panel=_OUT
        ),
    ] = None,
    exit_zero: Annotated[
        bool | None,
        typer.Option("--exit-zero", help="Exit 0 for 1 and 4.", rich_help_panel=_OUT),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the audit.", rich_help_panel=_OUT)
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="table, json or markdown.", rich_help_panel=_OUT)
    ] = None,
    quiet: Annotated[
        bool | None,
        typer.Option("--quiet", "-q", help="Print verdicts only.", rich_help_panel=_OUT),
    ] = None,
) -> None:
    """Audit a model on pictures: how discontinuous it is, where, and whether it breaks limits.

    Exit codes:
    0 all gates pass
    1 a gate failed
    2 the command line or the configuration is wrong
    3 the audit could not be completed
    4 no gate failed, but something is inconclusive
    """
    given = {name: value for name, value in ctx.params.items() if value not in (None, [], ())}
    given.pop("config", None)
    run_scan(given, config)
