"""From what a source handed over to a `Classifier`: one way for all of them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from semaudit.errors import ModelError, UsageError
from semaudit.metric import Activation
from semaudit.models.classifier import Classifier, Placement, references
from semaudit.models.names import class_names, embedding_name
from semaudit.models.opened import Opened
from semaudit.models.outputs import Examined, examine
from semaudit.models.preprocessing import (
    Preprocessing,
    input_channels,
    preprocessing_of,
    stated_channels,
)
from semaudit.models.reading import Reading
from semaudit.models.tap import Tapped, first_channels
from semaudit.models.weights import frozen, require_finite_weights, weights_sha256

PAIR = 2


def assemble(opened: Opened, reading: Reading) -> Classifier:
    """Make a classifier; a module whose output nothing is known of is run on reference pictures.

    Raises:
        ModelError: weights that are not finite, a module that fails, or outputs that hold no
            logits.
    """
    module, name = frozen(opened.module), opened.name
    require_finite_weights(module, name)
    channels = (
        input_channels(reading.in_chans, reading.overrides)
        or opened.in_chans
        or stated_channels(opened.stated)
        or first_channels(module)
    )
    resolved = preprocessing_of(
        opened.stated, reading.overrides, channels=channels, unit=opened.unit_range
    )
    activation: Activation = reading.activation or "softmax"
    notes = [*opened.notes, *resolved.notes]
    if opened.form is None:
        examined = _examined(opened, resolved.preprocessing, reading, activation)
        form = examined.form
        notes += examined.notes
    else:
        form = replace(opened.form, scale=reading.output or "logits")
        if form.width == 1 and activation == "softmax":
            notes.append(
                "the output is one value a picture: taken for yes (class 1) against no (0)"
            )
    if opened.embeds and reading.activation is None:
        activation = "none"
        notes.append("the model has no classifying layer: its output is taken for an embedding")
    if activation == "none":
        notes.append("of an embedding shift is by cosine, and there is no class that could flip")
    width = form.num_classes(activation)
    names = embedding_name() if activation == "none" else class_names(width, opened.labels)
    # A frozen program keeps its weights out of sight: then the file's hash stands for them.
    sha256 = weights_sha256(module) if module.state_dict() else opened.provenance.get("file_sha256")
    return Classifier(
        module=module,
        preprocessing=resolved.preprocessing,
        class_names=names,
        num_classes=width,
        name=name,
        provenance={**opened.provenance, "weights_sha256": sha256},
        activation=activation,
        form=form,
        notes=tuple(notes),
        differentiable=opened.differentiable,
        trained=resolved.trained,
        placement=Placement(device_of(module)),
    )


def device_of(module: nn.Module) -> torch.device:
    """Where a module's weights are; the CPU when it has none."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _examined(
    opened: Opened, preprocessing: Preprocessing, reading: Reading, activation: Activation
) -> Examined:
    answers = _answers(opened, preprocessing)
    try:
        return examine(
            answers,
            PAIR,
            activation=activation,
            num_classes=reading.num_classes or opened.num_classes,
            scale=reading.output,
        )
    except UsageError as error:
        raise UsageError(f"{opened.name}: {error}") from error
    except ModelError as error:
        if reading.num_classes is not None:
            wrong = f"--num-classes {reading.num_classes} does not fit {opened.name}: {error}"
            raise UsageError(wrong) from error
        raise ModelError(f"{opened.name}: {error}") from error


def _answers(opened: Opened, preprocessing: Preprocessing) -> list[object]:
    """Run the reference pictures, two by two: a large model may not take more at once."""
    device = device_of(opened.module)
    tapped = Tapped(opened.module, None, preprocessing, device, channels_last=False)
    try:
        with torch.no_grad():
            pictures = references(preprocessing.input_size).to(device)
            return [tapped(pictures[:PAIR])[0], tapped(pictures[PAIR:])[0]]
    except Exception as error:  # the module is foreign code: it may raise anything
        raise ModelError(
            f"{opened.name} fails on pictures of size {preprocessing.input_size}: "
            f"{type(error).__name__}: {error}. Check the input size (--img-size) and the number of "
            "channels (--in-chans)"
        ) from error
