"""From what a source handed over to a `Classifier`: one way for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from semaudit.errors import ModelError, UsageError, last_line
from semaudit.metric import Activation
from semaudit.models.classifier import Classifier, Placement, references
from semaudit.models.names import class_names, embedding_name
from semaudit.models.opened import Opened, Provenance
from semaudit.models.outputs import ONE_VALUE, Examined, OutputForm, examine
from semaudit.models.preprocessing import (
    Preprocessing,
    input_channels,
    preprocessing_of,
    stated_channels,
)
from semaudit.models.reading import Reading
from semaudit.models.tap import Tapped, first_channels
from semaudit.models.torchvision_models import assumptions
from semaudit.models.weights import frozen, require_finite_weights, weights_sha256

PAIR = 2

GUESSED = "guessed_preprocessing"
"""The key of a provenance under which stand the flags of whatever nobody states."""

HELD_WEIGHTS = "held_weights"
"""In the provenance: how many tensors of weights came with requires_grad=False."""

GUESSED_ARCH = "guessed_architecture"
"""The key under which stands an architecture that was guessed: no limit may rest on it."""

STEADY = 0.01
"""How far, relative to the largest logit, an answer may move with its place in a batch."""

UNSTEADY = (
    "its answer for a picture changes with the batch or by chance, as that of a network traced or "
    "exported in training mode (dropout, batch statistics): call eval() before the export, or read "
    "the figures as those of a model that answers so"
)


@dataclass(frozen=True)
class Answers:
    """What a module puts out for four reference pictures.

    Attributes:
        pairs: for the first two and for the last two.
        mixed: for the second and the fourth, in one batch.
    """

    pairs: list[object]
    mixed: object


def assemble(opened: Opened, reading: Reading) -> Classifier:
    """Make a classifier; a module whose output nothing is known of is run on reference pictures.

    Raises:
        ModelError: weights that are not finite, a module that fails, or outputs that hold no
            logits.
    """
    held = sum(w.is_floating_point() and not w.requires_grad for w in opened.module.parameters())
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
    notes = [*opened.notes, *assumptions(opened)]
    # Also where a form came along: it is of logits, and what the user says is looked at.
    if opened.form is None or reading.output == "probabilities":
        answers = _answers(opened, resolved.preprocessing, reading)
        examined = _examined(opened, answers, reading, activation)
        form = examined.form
        notes += examined.notes
        if not _steady(answers, form, activation):
            notes.append(UNSTEADY)
    else:
        form = opened.form
        if form.width == 1 and activation == "softmax":
            notes.append(ONE_VALUE)
    if opened.embeds and reading.activation is None:
        activation = "none"
        notes.append("the model has no classifying layer: its output is taken for an embedding")
    if activation == "none":
        if reading.output is not None:
            raise UsageError(
                f"--outputs {reading.output} speaks of classes, and {name} puts out an embedding, "
                "which has none: leave it out"
            )
        notes.append(
            "of an embedding shift is by cosine, and there is no class that could flip or be "
            "right: labels are not used"
        )
    width = form.num_classes(activation)
    names = embedding_name() if activation == "none" else class_names(width, opened.labels)
    # A frozen program keeps its weights out of sight: then the file's hash stands for them.
    sha256 = weights_sha256(module) if module.state_dict() else opened.provenance.get("file_sha256")
    provenance: Provenance = {**opened.provenance, "weights_sha256": sha256}
    if held:
        provenance[HELD_WEIGHTS] = str(held)
    if resolved.guessed:
        provenance[GUESSED] = list(resolved.guessed)
    return Classifier(
        module=module,
        preprocessing=resolved.preprocessing,
        class_names=names,
        num_classes=width,
        name=name,
        provenance=provenance,
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
    opened: Opened, answers: Answers, reading: Reading, activation: Activation
) -> Examined:
    try:
        return examine(
            answers.pairs,
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


def _steady(answers: Answers, form: OutputForm, activation: Activation) -> bool:
    """Whether two pictures get the answers in one batch that they got apart."""
    apart = [form.logits(pair, activation) for pair in answers.pairs]
    again = form.logits(answers.mixed, activation)
    if again is None or any(each is None for each in apart):
        return True  # said where it is classified
    before = torch.cat([each for each in apart if each is not None])[1::PAIR]
    # NaN is no sign of it: it ends the audit.
    return not bool((again - before).abs().max() > STEADY * before.abs().max())


def _answers(opened: Opened, preprocessing: Preprocessing, reading: Reading) -> Answers:
    """Run the reference pictures, two by two: a large model may not take more at once."""
    device = device_of(opened.module)
    tapped = Tapped(opened.module, None, preprocessing, device, channels_last=False)
    try:
        with torch.no_grad():
            pictures = references(preprocessing.input_size).to(device)
            pairs = [tapped(pair)[0] for pair in torch.split(pictures, PAIR)]
            return Answers(pairs, tapped(pictures[1::PAIR])[0])
    except Exception as error:  # the module is foreign code: it may raise anything
        said = (
            f"{opened.name} fails on pictures of size {preprocessing.input_size}: "
            f"{type(error).__name__}: {last_line(error)}"
        )
        if flags := _sizes_given(reading):
            raise UsageError(f"{said}. Leave {' and '.join(flags)} out, or correct it") from error
        raise ModelError(
            f"{said}. Check the input size (--img-size) and the number of channels (--in-chans)"
        ) from error


def _sizes_given(reading: Reading) -> list[str]:
    given = {
        "--in-chans": reading.in_chans,
        "--input-size": reading.overrides.input_size,
        "--img-size": reading.overrides.img_size,
    }
    return [flag for flag, value in given.items() if value is not None]
