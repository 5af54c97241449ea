"""What every source of models hands over, before it becomes a `Classifier`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from semaudit.models.outputs import OutputForm

Provenance = dict[str, str | list[str] | None]
"""Where weights came from and how they were recognised, fit for JSON."""


@dataclass(frozen=True)
class Opened:
    """A module that nobody else holds, and what its source states about it.

    Attributes:
        module: takes normalised pictures (n, c, h, w).
        name: what to call the model in a report.
        provenance: where it came from; its ``source`` is the kind, such as ``"torchscript"``.
        stated: the preprocessing that the source itself states, in timm's keys (``input_size``
            as (c, h, w), ``mean``, ``std``, ``crop_pct``, ``crop_mode``, ``interpolation``);
            what it does not state is absent.
        labels: the names of the classes that came along, in the order of the outputs, or None.
        num_classes: the width of the output, where it is known without running the module.
        in_chans: the channels of the pictures, where known.
        notes: what a reader of the results should know, a sentence each.
        differentiable: whether input gradients can be had.
        batch: the one batch size that the module takes, or None for any.
        form: where the logits are in the output, where the source guarantees it; else the module
            is run and looked at.
        embeds: whether the output is an embedding, with no classes.
        unit_range: whether a module that states no mean and std takes pictures in [0, 1] as they
            are; else ImageNet's are taken.
    """

    module: nn.Module
    name: str
    provenance: Provenance
    stated: Mapping[str, object] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    num_classes: int | None = None
    in_chans: int | None = None
    notes: tuple[str, ...] = ()
    differentiable: bool = True
    batch: int | None = None
    form: OutputForm | None = None
    embeds: bool = False
    unit_range: bool = False
