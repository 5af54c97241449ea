"""What can be differentiated of a classifier: tried on two pictures before the scan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from semaudit.errors import SemauditError, out_of_memory
from semaudit.gradients.differentiate import Differentiator, pull_back
from semaudit.gradients.functionals import ClassLogit
from semaudit.models import Classifier
from semaudit.models.classifier import references

LEAK = 1e-9
"""A share of a picture's gradient that lies on another picture: below it is rounding."""


@dataclass(frozen=True)
class Ability:
    """What was found.

    Attributes:
        differentiator: None where no gradient can be had.
        notes: what is left out or done another way, and why; a sentence each.
    """

    differentiator: Differentiator | None
    notes: tuple[str, ...] = ()


def survey(classifier: Classifier) -> Ability:
    """Find out whether input gradients can be had, and whether pictures can share a batch.

    Raises:
        SemauditError: the classifier does not run at all.
    """
    if not classifier.differentiable:
        return Ability(None, (_left_out("it was saved in a form that has none"),))
    images = references(classifier.preprocessing.input_size)[:2].to(classifier.placement.device)
    whole = Differentiator(classifier)
    try:
        apart = _apart(whole, images)
    except (RuntimeError, NotImplementedError, SemauditError) as error:
        if out_of_memory(error):
            raise
        return Ability(None, (_left_out(str(error).splitlines()[0]),))
    notes: list[str] = []
    if not apart:
        notes.append(
            "the output for one picture depends on the others in its batch: gradients are taken "
            "one picture at a time"
        )
    directional = _directional(replace(whole, apart=apart), images)
    if directional is None:
        notes.append(
            "jacobian_spectral is left out: the model has an operation without second derivatives"
        )
    return Ability(replace(whole, apart=apart, directional=directional), tuple(notes))


def _left_out(why: str) -> str:
    return (
        f"no input gradients can be had of this model ({why}): gradient turn, norms, curvature, "
        "linearity and saliency are left out, jacobian_frobenius is estimated from differences, "
        "and the worst case is searched without gradients"
    )


def _apart(differentiator: Differentiator, images: Tensor) -> bool:
    """Whether a picture's logits slope along that picture alone."""
    with differentiator.graph(images) as (view, pictures):
        (slope,) = pull_back([view.logits[0]], pictures)
    own, other = (float(part.abs().sum()) for part in slope)
    return other <= LEAK * max(own, LEAK)


def _directional(
    differentiator: Differentiator, images: Tensor
) -> Literal["forward", "double backward"] | None:
    """The first way to J v that works and agrees with the backward pass."""
    ones = torch.ones_like(images)
    classes = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    ways: tuple[Literal["forward", "double backward"], ...] = ("forward", "double backward")
    for way in ways:
        candidate = replace(differentiator, directional=way)
        try:
            along = candidate.along(images, ones)[:, 0].double()
            (gradient,) = candidate(images, ClassLogit(classes)).gradients
        except (RuntimeError, NotImplementedError, SemauditError) as error:
            if out_of_memory(error):
                raise
            continue
        expected = gradient.double().sum((1, 2, 3))
        scale = gradient.double().abs().sum((1, 2, 3)).clamp_min(1e-12)
        if bool(((along - expected).abs() <= 0.01 * scale).all()):
            return way
    return None
