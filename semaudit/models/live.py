"""A module that a Python program already holds."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models.classifier import Classifier, Placement
from semaudit.models.names import class_names
from semaudit.models.preprocessing import (
    Preprocessing,
    PreprocessingOverrides,
    input_channels,
    preprocessing_of,
    timm_config,
)
from semaudit.models.tap import Tapped
from semaudit.models.weights import frozen, require_finite_weights, weights_sha256


def load_live(
    module: nn.Module,
    *,
    num_classes: int | None,
    in_chans: int | None,
    overrides: PreprocessingOverrides,
) -> Classifier:
    """Make a classifier of a copy of ``module``; the module itself is left as it is.

    A copy costs the weights' memory once more. Sharing them would save it, but an audit must
    stay in eval mode and see the same weights while its caller may go on training.

    Raises:
        ModelError: the module cannot be copied, has weights that are not finite, or its number
            of classes cannot be found.
    """
    name = type(module).__name__
    try:
        own = frozen(copy.deepcopy(module))
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"{name} cannot be copied: {error}. Drop what it keeps besides its weights, such as "
            "tensors from an earlier forward pass"
        ) from error
    require_finite_weights(own, name)
    channels = input_channels(in_chans, overrides) or _channels_of(own)
    preprocessing = preprocessing_of(own, overrides, channels=channels)
    classes = num_classes or _stated_classes(own) or _counted_classes(own, name, preprocessing)
    architecture = (timm_config(own) or {}).get("architecture")
    return Classifier(
        module=own,
        preprocessing=preprocessing,
        class_names=class_names(classes, own),
        num_classes=classes,
        name=name if architecture is None else str(architecture),
        provenance={
            "source": "live module",
            "arch": f"{type(module).__module__}.{type(module).__qualname__}",
            "weights_sha256": weights_sha256(own),
        },
        placement=Placement(_device_of(own)),
    )


def _device_of(module: nn.Module) -> torch.device:
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _channels_of(module: nn.Module) -> int:
    """What the module states, else what its first convolution takes, else 3."""
    stated = getattr(module, "in_chans", None)
    if isinstance(stated, int):
        return stated
    convolutions = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    first = next(convolutions, None)
    return 3 if first is None else first.in_channels


def _stated_classes(module: nn.Module) -> int | None:
    stated = getattr(module, "num_classes", None)
    return stated if isinstance(stated, int) and stated > 0 else None


def _counted_classes(module: nn.Module, name: str, preprocessing: Preprocessing) -> int:
    """Run one grey picture and count the logits."""
    device = _device_of(module)
    tapped = Tapped(module, 0, preprocessing, device, channels_last=False)
    picture = torch.full((1, *preprocessing.input_size), 0.5, device=device)
    try:
        with torch.no_grad():
            output, _ = tapped(picture)
    except Exception as error:  # the module is foreign code: it may raise anything
        raise ModelError(
            f"{name} fails on a picture of size {preprocessing.input_size}: "
            f"{type(error).__name__}: {error}. Check the input size and the number of channels"
        ) from error
    if not isinstance(output, Tensor) or output.ndim != 2:
        kind = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else "no tensor"
        raise ModelError(
            f"{name} puts out {type(output).__name__} ({kind}) where logits of shape "
            "(n, classes) are needed; wrap the model so that forward returns only its logits"
        )
    return output.shape[1]
