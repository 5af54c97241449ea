"""What can be differentiated of a classifier: tried on two pictures before the scan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from semaudit.errors import out_of_memory
from semaudit.gradients.algebra import l2, unit
from semaudit.gradients.differentiate import Differentiator, pull_back
from semaudit.metrics.pixels import precise
from semaudit.models import Classifier

ALIKE = 1e-3
"""Change of a picture's logits, a share of their norm, that other pictures in the batch may make by
rounding."""

LEAK = 1e-9
"""A share of a picture's gradient that lies on another picture: below it is rounding."""

AGAIN = 1e-3
"""By how much of its size a slope may differ in a second, identical pass."""

AGREEMENT = 0.05
"""By how much of its size a derivative along a direction may miss the backward pass: bfloat16."""


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
    device = classifier.placement.device
    # Grey or black ones would be where a standardised picture has no slope.
    images = torch.rand((2, *classifier.preprocessing.input_size), generator=_generator())
    with _fixed_noise(device):
        return _surveyed(classifier, images.to(device))


def _surveyed(classifier: Classifier, images: Tensor) -> Ability:
    whole = Differentiator(classifier)
    with torch.no_grad():
        weights = torch.randn(classifier(images).logits.shape, generator=_generator())
    weights = weights.to(images.device, precise(images.device))
    try:
        sizes = _sizes(whole, images, weights)
    except Exception as error:  # a backward pass is foreign code: it may raise anything
        if out_of_memory(error):
            raise
        return Ability(None, (_left_out(_said(error)),))
    if sizes is None:
        why = "no operation with a derivative leads from the picture to the output"
        return Ability(None, (_left_out(why),))
    own, other = sizes
    notes: list[str] = []
    apart = other <= LEAK * own
    if not math.isfinite(own) or (not apart and _random(whole, images, weights, sizes)):
        apart = _answers_alone(classifier, images)
    if not apart:
        notes.append(
            "the output for one picture depends on the others in its batch: gradients are taken "
            "one picture at a time"
        )
    if not math.isfinite(own) or own == 0:
        notes.append(
            f"the input gradient is {'0 throughout' if own == 0 else 'not finite'} at a random "
            "picture: what is measured of such gradients is left empty, and is no sign of "
            "smoothness"
        )
    directional = _directional(whole, images[:1], weights[:1])
    if directional is None and math.isfinite(own):
        notes.append(
            "jacobian_spectral is left out: the derivative of this model along a direction cannot "
            "be had, or does not agree with its backward pass"
        )
    return Ability(replace(whole, apart=apart, directional=directional), tuple(notes))


def _answers_alone(classifier: Classifier, images: Tensor) -> bool:
    """Whether the output for a picture is the same without the others, where no gradient tells."""
    with torch.no_grad():
        together, alone = classifier(images).logits[0], classifier(images[:1]).logits[0]
    return bool((together - alone).norm() <= ALIKE * alone.norm())


def _random(
    differentiator: Differentiator, images: Tensor, weights: Tensor, sizes: tuple[float, float]
) -> bool:
    """Whether a second backward pass says otherwise: noise in it lies on all pictures alike."""
    again = _sizes(differentiator, images, weights)
    return again is None or abs(again[1] - sizes[1]) > AGAIN * sizes[1]


def _left_out(why: str) -> str:
    return (
        f"no input gradients can be had of this model ({why}): gradient turn, norms, curvature, "
        "linearity and saliency are left out, jacobian_frobenius is estimated from differences, "
        "and the worst case is searched without gradients"
    )


def _said(error: Exception) -> str:
    """What an exception says, in one line."""
    # Not what a classifier makes of it, whose pictures are of the right size here.
    cause = error.__cause__ or error
    first = str(cause).strip().partition("\n")[0]
    return f"{type(cause).__name__}: {first}" if first else type(cause).__name__


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@contextmanager
def _fixed_noise(device: torch.device) -> Iterator[None]:
    """Leave the global random numbers as they were, whatever a stochastic model drew."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def _sizes(
    differentiator: Differentiator, images: Tensor, weights: Tensor
) -> tuple[float, float] | None:
    """How much the first picture's logits slope along it, and along the other; None: no graph."""
    with differentiator.graph(images) as (view, pictures):
        if not view.logits.requires_grad:
            return None
        # Weighted at random: the plain sum of some outputs is constant.
        (slope,) = pull_back([(view.logits * weights)[0]], pictures)
    own, other = (float(part.abs().sum()) for part in slope)
    return own, other


def _directional(
    differentiator: Differentiator, image: Tensor, weights: Tensor
) -> Literal["forward", "double backward"] | None:
    """The first way to J v that works and agrees with the backward pass on one picture.

    Along v = J^T u / |J^T u| the derivative of u . z is |J^T u|.
    """
    ways: tuple[Literal["forward", "double backward"], ...] = ("forward", "double backward")
    for way in ways:
        candidate = replace(differentiator, directional=way)
        try:
            torch.manual_seed(0)  # dropout that was left on drops the same twice
            with candidate.graph(image) as (view, picture):
                (back,) = pull_back([(view.logits * weights).sum(1)], picture)
            torch.manual_seed(0)
            along = (candidate.along(image, unit(back)).to(weights) * weights).sum(1)
        except Exception as error:  # foreign code again
            if out_of_memory(error):
                raise
            continue
        if bool(((along - l2(back)).abs() <= AGREEMENT * l2(back)).all()):
            return way
    return None
