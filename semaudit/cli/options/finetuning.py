"""Fine-tuning: what is descended, how, and how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_LOSS, _TRAINING, _CHOICE = "Loss", "Training", "Choice and proof"
_PICTURES, _PROOF = "Pictures", "Battery"

Model = Annotated[
    str | None,
    typer.Argument(
        help="A name (resnet50.a1_in1k, torchvision:resnet50, hf-hub:ORG/NAME), a checkpoint, or a "
        "factory (file.py:function; it is run). Whole programs (TorchScript, .pt2, ONNX) cannot "
        "be trained here."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Needed, unless --dataset brings pictures. Folder of class folders or of pictures; a "
        "list (.csv .parquet .jsonl), tar shards, or arrays (.npz, IDX). Labels are needed by "
        "--task ce and weighted only.",
        rich_help_panel=_PICTURES,
    ),
]
NumSamples = Annotated[
    int | None,
    typer.Option(
        help="Pictures to take in all, seeded, class-balanced; these are split.",
        rich_help_panel=_PICTURES,
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        help="Probes of the audits before and after: quick, standard, full, a family, a probe or a "
        "glob; repeatable. Default: standard and adversarial. What is trained under, --perturb "
        "says.",
        rich_help_panel=_PROOF,
    ),
]

Task = Annotated[
    str | None,
    typer.Option(
        help="What must not be lost: anchor (the original's answers; needs no labels), ce "
        "(cross-entropy) or weighted (both). Default: anchor.",
        rich_help_panel=_LOSS,
    ),
]
AnchorWeight = Annotated[
    float | None,
    typer.Option(help="With weighted: the anchor's share. Default: 0.5.", rich_help_panel=_LOSS),
]
TaskOnChanged = Annotated[
    bool | None,
    typer.Option(
        "--task-on-changed",
        help="Set the task on changed pictures, too, as augmentation does.",
        rich_help_panel=_LOSS,
    ),
]
Alpha = Annotated[
    str | None,
    typer.Option(
        help="Weight of the continuity term, or auto, which searches it and the learning rate "
        "around --lr. Default: 5.",
        rich_help_panel=_LOSS,
    ),
]
Distance = Annotated[
    str | None,
    typer.Option(
        help="Between clean and changed answers: jsd, kl, prob, logit, cosine (of features) or "
        "jsd-views (of all views at once, as AugMix). Default: jsd.",
        rich_help_panel=_LOSS,
    ),
]
Views = Annotated[
    int | None,
    typer.Option(
        help="Changed forms of each picture in a step. Default: 1.", rich_help_panel=_LOSS
    ),
]
DetachClean = Annotated[
    bool | None,
    typer.Option(
        "--detach-clean", help="Pull only the changed picture's answer.", rich_help_panel=_LOSS
    ),
]
Perturb = Annotated[
    list[str] | None,
    typer.Option(
        help="Change to train under: generic (no probe is seen), worst (a searched worst case), a "
        "battery file, or what --select takes; repeatable: a mixture. Default: generic.",
        rich_help_panel=_LOSS,
    ),
]
GenericReach = Annotated[
    str | None,
    typer.Option(
        help="Of generic, its largest displacement (of the shorter side), filter, colour curve and "
        "band noise (of full scale). Default: 0.02,0.35,0.12,0.08.",
        rich_help_panel=_LOSS,
    ),
]
WorstRadius = Annotated[
    str | None,
    typer.Option(
        help="Of worst, in L-infinity, of full scale. Default: 4/255.", rich_help_panel=_LOSS
    ),
]
WorstSteps = Annotated[
    int | None,
    typer.Option(help="Of worst: gradients a picture. Default: 3.", rich_help_panel=_LOSS),
]
GradientPenalty = Annotated[
    float | None,
    typer.Option(help="Weight of the squared input gradient. Default: 0.", rich_help_panel=_LOSS),
]
TurnPenalty = Annotated[
    float | None,
    typer.Option(
        help="Weight of the gradient turn under generic changes that displace nothing, at a "
        "quarter of the pictures. Default: 0.",
        rich_help_panel=_LOSS,
    ),
]
Opt = Annotated[
    str | None, typer.Option(help="timm's optimizer. Default: adamw.", rich_help_panel=_TRAINING)
]
Lr = Annotated[
    float | None, typer.Option(help="Learning rate. Default: 0.0001.", rich_help_panel=_TRAINING)
]
WeightDecay = Annotated[float | None, typer.Option(help="Default: 0.", rich_help_panel=_TRAINING)]
Momentum = Annotated[float | None, typer.Option(help="Default: 0.9.", rich_help_panel=_TRAINING)]
LayerDecay = Annotated[
    float | None,
    typer.Option(
        help="Rate of each layer relative to the next, as 0.75.", rich_help_panel=_TRAINING
    ),
]
Sched = Annotated[
    str | None,
    typer.Option(
        help="timm's schedule: cosine, tanh, poly, constant or none. Default: cosine.",
        rich_help_panel=_TRAINING,
    ),
]
WarmupEpochs = Annotated[
    float | None,
    typer.Option(help="Epochs in which the rate rises. Default: 0.", rich_help_panel=_TRAINING),
]
MinLr = Annotated[
    float | None,
    typer.Option(help="Where the schedule ends. Default: 0.", rich_help_panel=_TRAINING),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        help="Passes over the training pictures, in whole updates. Default: 3.",
        rich_help_panel=_TRAINING,
    ),
]
Steps = Annotated[
    int | None, typer.Option(help="Updates, instead of epochs.", rich_help_panel=_TRAINING)
]
MaxTime = Annotated[
    float | None,
    typer.Option(
        help="Seconds after which training ends, its schedule too; choice and proof come on top.",
        rich_help_panel=_TRAINING,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        "-b",
        help="Pictures in a forward, of all processes together. Default: 32.",
        rich_help_panel=_TRAINING,
    ),
]
GradAccumSteps = Annotated[
    int | None,
    typer.Option(
        help="Forwards whose gradients make one update. Default: 1.", rich_help_panel=_TRAINING
    ),
]
ClipGrad = Annotated[
    float | None, typer.Option(help="Largest norm of the gradient.", rich_help_panel=_TRAINING)
]
TrainBn = Annotated[
    bool | None,
    typer.Option(
        "--train-bn",
        help="Let BatchNorm take statistics of the batches, in one process; else they stay.",
        rich_help_panel=_TRAINING,
    ),
]
ModelEma = Annotated[
    bool | None,
    typer.Option(
        "--model-ema", help="Take the moving average of the weights.", rich_help_panel=_TRAINING
    ),
]
ModelEmaDecay = Annotated[
    float | None,
    typer.Option(help="How slowly it moves. Default: 0.998.", rich_help_panel=_TRAINING),
]
MaxAccuracyDrop = Annotated[
    float | None,
    typer.Option(
        help="Percentage points of validation accuracy (without labels: of agreement with the "
        "original) that may be lost. Default: 0.5.",
        rich_help_panel=_CHOICE,
    ),
]
ValShare = Annotated[
    float | None,
    typer.Option(
        help="Share of the pictures for every choice. Default: 0.2.", rich_help_panel=_CHOICE
    ),
]
HeldOut = Annotated[
    float | None,
    typer.Option(
        help="Share of the pictures for the proof. Default: 0.25.", rich_help_panel=_CHOICE
    ),
]
ValDraws = Annotated[
    int | None,
    typer.Option(
        help="Changed forms of each picture in validation. Default: 4.", rich_help_panel=_CHOICE
    ),
]
AutoTime = Annotated[
    float | None,
    typer.Option(help="Seconds that --alpha auto may take. Default: 600.", rich_help_panel=_CHOICE),
]
Baselines = Annotated[
    bool | None,
    typer.Option(
        "--baselines",
        help="Also plain fine-tuning and augmentation alone, for as many passes through the model.",
        rich_help_panel=_CHOICE,
    ),
]
