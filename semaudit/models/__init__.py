"""What is audited: every source of models ends in one `Classifier`."""

from __future__ import annotations

import os
from pathlib import Path

from torch import nn

from semaudit.errors import UsageError
from semaudit.models.checkpoint import SUFFIXES, load_checkpoint, require_file
from semaudit.models.classifier import Classifier, Outputs, Placement
from semaudit.models.live import load_live
from semaudit.models.names import ClassNames
from semaudit.models.preprocessing import Preprocessing, PreprocessingOverrides
from semaudit.models.timm_models import HUB_PREFIXES, load_timm
from semaudit.models.weights import weights_sha256

__all__ = [
    "ClassNames",
    "Classifier",
    "Outputs",
    "Placement",
    "Preprocessing",
    "PreprocessingOverrides",
    "load",
    "weights_sha256",
]


def load(
    model: str | Path | nn.Module | Classifier,
    *,
    arch: str | None = None,
    num_classes: int | None = None,
    in_chans: int | None = None,
    overrides: PreprocessingOverrides | None = None,
) -> Classifier:
    """Open a model for audit: a timm name, a checkpoint file, or a live module.

    The result is on the CPU (a live module's copy stays on its device), in eval mode and without
    weight gradients. Nothing is run yet: `Classifier.check` does that, after `Classifier.place`.

    Args:
        model: a timm name such as ``"resnet50.a1_in1k"``; a path to a checkpoint; a module, which
            is copied and left as it is; or a Classifier, which is returned as it is.
        arch: the timm architecture of a checkpoint.
        num_classes: the width of the logits; found in the weights when None.
        in_chans: the channels of the pictures; found in the weights when None.
        overrides: preprocessing that replaces the model's own.

    Raises:
        ModelError: the model cannot be opened or its weights cannot be used.
        UsageError: the arguments do not go together.
    """
    if isinstance(model, Classifier):
        if any(value is not None for value in (arch, num_classes, in_chans, overrides)):
            raise UsageError("a Classifier is complete: pass overrides where it is first loaded")
        return model
    overrides = overrides or PreprocessingOverrides()
    is_file = isinstance(model, Path) or (isinstance(model, str) and _names_a_file(model))
    if is_file:
        require_file(Path(str(model)))
    if arch is None and is_file:
        raise UsageError(
            f"{model} is a checkpoint, which holds weights but no architecture; name the timm "
            "architecture with --arch, for example --arch resnet50"
        )
    if arch is not None and not is_file:
        raise UsageError(f"--arch {arch} goes with a checkpoint file, and {_short(model)} is none")
    if isinstance(model, nn.Module):
        return load_live(model, num_classes=num_classes, in_chans=in_chans, overrides=overrides)
    if arch is not None:
        return load_checkpoint(
            Path(model),
            arch=arch,
            num_classes=num_classes,
            in_chans=in_chans,
            overrides=overrides,
        )
    return load_timm(str(model), num_classes=num_classes, in_chans=in_chans, overrides=overrides)


def _names_a_file(model: str) -> bool:
    if model.startswith(HUB_PREFIXES):
        return False
    separators = {"/", os.sep}
    return (
        Path(model).is_file()
        or model.endswith(SUFFIXES)
        or any(separator in model for separator in separators)
    )


def _short(model: object) -> str:
    return model if isinstance(model, str) else f"a {type(model).__name__}"
