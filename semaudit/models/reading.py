"""What the user may say of a model beside its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from semaudit.metric import Activation
from semaudit.models.preprocessing import PreprocessingOverrides
from semaudit.models.scales import Scale


@dataclass(frozen=True)
class Opening:
    """How a model is to be opened.

    Attributes:
        arch: the architecture of a checkpoint; recognised when None.
        pretrained: whether a name stands for its pretrained weights, or for random ones.
        model_kwargs: passed on to whatever builds the module.
        use_ema: take a checkpoint's averaged weights.
        unsafe: open a file even where that runs code from it.
    """

    arch: str | None = None
    pretrained: bool = True
    model_kwargs: Mapping[str, object] = field(default_factory=dict)
    use_ema: bool = False
    unsafe: bool = False


@dataclass(frozen=True)
class Reading:
    """How outputs and pictures are to be taken; None leaves it to the model.

    Attributes:
        num_classes: the width of the logits.
        in_chans: the channels of the pictures.
        activation: what the logits mean.
        output: whether the outputs are logits or probabilities.
        overrides: preprocessing that replaces the model's own.
    """

    num_classes: int | None = None
    in_chans: int | None = None
    activation: Activation | None = None
    output: Scale | None = None
    overrides: PreprocessingOverrides = field(default_factory=PreprocessingOverrides)
