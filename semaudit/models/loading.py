"""From whatever a model comes as to a `Classifier`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from torch import nn

from semaudit.errors import UsageError
from semaudit.metric import Activation
from semaudit.models.assembly import assemble
from semaudit.models.classifier import Classifier
from semaudit.models.preprocessing import PreprocessingOverrides
from semaudit.models.reading import Opening, Reading
from semaudit.models.scales import Scale
from semaudit.models.sources import fitting_architectures, open_source


def load(
    model: str | Path | nn.Module | Classifier,
    *,
    arch: str | None = None,
    num_classes: int | None = None,
    in_chans: int | None = None,
    overrides: PreprocessingOverrides | None = None,
    activation: Activation | None = None,
    output: Scale | None = None,
    pretrained: bool = True,
    model_kwargs: Mapping[str, object] = MappingProxyType({}),
    use_ema: bool = False,
    unsafe_load: bool = False,
) -> Classifier:
    """Open a model for audit, whatever it comes as.

    The result is on the CPU (a live module's copy stays on its device), in eval mode and without
    weight gradients. A module that timm did not build is run once, on four small reference
    pictures, to learn what it puts out.

    Args:
        model: a name of timm's (``"resnet50.a1_in1k"``, ``"hf-hub:ORG/NAME"``,
            ``"local-dir:FOLDER"``) or torchvision's (``"torchvision:resnet50"``); a file: a
            checkpoint, TorchScript, torch.export or ONNX; a factory, ``"package.module:function"``
            or ``"file.py:function"``; a module, which is copied and left as it is; or a Classifier,
            which is returned as it is.
        arch: the architecture of a checkpoint; recognised by its tensors when None.
        num_classes: the width of the logits; found in the weights when None.
        in_chans: the channels of the pictures; found in the weights when None.
        overrides: preprocessing that replaces the model's own.
        activation: what the logits mean: ``"softmax"``, ``"sigmoid"`` for labels that each hold
            or not, ``"none"`` for an embedding. Softmax when None and there are classes.
        output: whether the module puts out logits or probabilities; looked at when None.
        pretrained: whether a name stands for its pretrained weights, or for random ones.
        model_kwargs: passed on to whatever builds the module.
        use_ema: take a checkpoint's averaged weights.
        unsafe_load: open a file even where that runs code from it.

    Raises:
        ModelError: the model cannot be opened or its weights cannot be used.
        UsageError: the arguments do not go together.
    """
    if isinstance(model, Classifier):
        given = (arch, num_classes, in_chans, overrides, activation, output)
        if any(value is not None for value in given):
            raise UsageError("a Classifier is complete: pass overrides where it is first loaded")
        return model
    reading = Reading(
        num_classes=num_classes,
        in_chans=in_chans,
        activation=activation,
        output=output,
        overrides=overrides or PreprocessingOverrides(),
    )
    opening = Opening(
        arch=arch,
        pretrained=pretrained,
        model_kwargs=model_kwargs,
        use_ema=use_ema,
        unsafe=unsafe_load,
    )
    return assemble(open_source(model, opening, reading), reading)


def candidates(model: str | Path, *, use_ema: bool = False, unsafe_load: bool = False) -> list[str]:
    """List the architectures that a checkpoint's tensors fit; `load` takes each as ``arch``.

    Raises:
        ModelError: the file cannot be read as tensors, or no architecture fits them.
        UsageError: it is no checkpoint.
    """
    return fitting_architectures(model, Opening(use_ema=use_ema, unsafe=unsafe_load))
