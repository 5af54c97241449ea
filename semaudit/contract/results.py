"""What a result must be: checks of one perturbation on one kind of picture.

Some look at what the author's function itself returns, for the protocol around it (see
`semaudit.perturbations.Perturbation`) copies, clamps and refuses, and so would hide a mistake.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from semaudit.contract.cases import Case
from semaudit.contract.check import Check, into
from semaudit.contract.comparing import gap_of, gradient_of, memory_of, same
from semaudit.perturbations import Strength

OVERSHOOT = 1.0
"""How far from [0, 1] a function may return, to be clamped: farther is another scale.

Noise and light go beyond either end, and to clamp is the protocol's part.
"""

FAINT = 2.0**-10
"""The share of the first rung's strength that is taken for "next to nothing"."""

NEXT_TO_NOTHING = 1 / 8
"""The share of the first rung's change that may be left there: 1 / 32 for one that grows as the
root of the strength, as the RMS does of noise that hits a share of the pixels."""

ROUNDED = 1 / 255
"""A change that rounding to 8 bits may make at any strength, as codecs do."""


RESULTS: list[Check] = []
"""The checks of this room, in order."""

_check = into(RESULTS)


@_check("return pictures for every strength up to max_strength, or lower max_strength", basic=True)
def runs(case: Case) -> str | None:
    """The function returns a tensor for a float and for a strength each, up to the largest."""
    largest = case.perturbation.max_strength
    strengths: list[Strength] = [*case.ladder, largest]
    for strength in (*strengths, torch.full((2, 1, 1, 1), largest, dtype=case.dtype)):
        where = "a tensor of strengths" if isinstance(strength, Tensor) else f"{strength:g}"
        try:
            result: object = case.raw(case.images(2), strength, case.draw(count=2))
        except Exception as error:  # an author's code may raise anything
            return f"at {where} it raises {type(error).__name__}: {error}"
        if not isinstance(result, Tensor):
            return f"at {where} it returns {type(result).__name__}, not a tensor"
    return None


@_check("return pictures of the size that came in", basic=True)
def keeps_shape(case: Case) -> str | None:
    """The pictures keep their number, channels, height and width."""
    images = case.images(2)
    got = case.raw(case.images(2), case.top, case.draw(count=2)).shape
    return None if got == images.shape else f"{tuple(images.shape)} became {tuple(got)}"


@_check("end with .to(images): tables and draws are float32", basic=True)
def keeps_dtype(case: Case) -> str | None:
    """The pictures keep their dtype, for a float and for a strength each."""
    each = torch.full((2, 1, 1, 1), case.top, dtype=case.dtype)
    for strength in (case.top, each):
        got = case.raw(case.images(2), strength, case.draw(count=2)).dtype
        if got != case.dtype:
            return f"{case.dtype} became {got}"
    return None


@_check("make every tensor with device=images.device", basic=True)
def keeps_device(case: Case) -> str | None:
    """The pictures stay on their device."""
    images = case.images(2)
    got = case.raw(images, case.top, case.draw(count=2)).device
    return None if got == images.device else f"{images.device} became {got}"


@_check(
    "work on the scale of [0, 1]; a small overshoot is clamped for you, a large one you must "
    "clamp, or end the ladder sooner"
)
def stays_in_range(case: Case) -> str | None:
    """Values are finite at any strength, and near [0, 1] along the ladder, before any clamp."""
    for strength in (*case.ladder, case.perturbation.max_strength):
        raw = case.raw(case.images(2), strength, case.draw(count=2))
        if not raw.isfinite().all():
            return f"at {strength:g} it returns values that are not finite"
        low, high = (float(end) for end in raw.aminmax())
        if strength <= case.top and (low < -OVERSHOOT or high > 1 + OVERSHOOT):
            return f"at {strength:g} it returns values in [{low:.3g}, {high:.3g}]"
    if (lost := _clamped_away(case)) is not None:
        return lost
    if not (case.changed.min() >= 0 and case.changed.max() <= 1):
        return f"at {case.top:g} values leave [0, 1]"
    return None


@_check("let the change vanish with the strength, as in images + strength * (other - images)")
def is_the_identity_at_strength_0(case: Case) -> str | None:
    """Strength 0 changes nothing, and next to nothing changes next to nothing.

    What changes in whole steps makes the first at any strength, but not two of them: whether that
    step is a change at all strengths, the protocol hides at 0, and only the function itself shows.
    """
    images = case.images(3)
    for strength in (0.0, torch.zeros(3), torch.zeros(3, 1, 1, 1)):
        if not torch.equal(case.perturbation(images, strength, case.draw(count=3)), images):
            return "at strength 0 the pictures change"
    stepwise, rounded = case.perturbation.stepwise, ROUNDED + 2 * case.resolution
    if stepwise and (lost := _step_at_0(case, rounded)) is not None:
        return lost
    faint, first = case.ladder[0] * FAINT, case.ladder[0]
    change, whole = case.distance(faint), case.distance(first)
    if change > max(whole * (1 if stepwise else NEXT_TO_NOTHING), rounded):
        return (
            f"at {faint:.2g}, next to nothing, the pictures still change by {change:.3g} (RMS), "
            f"at {first:g} by {whole:.3g}"
        )
    return None


@_check("write into nothing that came in: a + b, not a += b; a.clone() first where you must")
def leaves_its_input_alone(case: Case) -> str | None:
    """Neither the pictures nor the strengths nor the fields of the draw are written into."""
    images = case.images(2)
    strengths = torch.full((2, 1, 1, 1), case.top, dtype=case.dtype)
    case.raw(images, strengths, case.draw(count=2))
    if not torch.equal(images, case.images(2)):
        return (
            f"it changed the pictures that it was given by up to {gap_of(images, case.images(2))}"
        )
    if (strengths != torch.full((2, 1, 1, 1), case.top, dtype=case.dtype)).any():
        return "it changed the strengths that it was given"
    first, fresh = (case.raw(case.images(2), case.top, case.draw(count=2)) for _ in range(2))
    used = case.draw(count=2)
    case.raw(case.images(2), case.top, used)
    again = case.raw(case.images(2), case.top, used)
    # One that differs from run to run anyway breaks another clause.
    if same(first, fresh) and not same(again, fresh):
        return (
            f"it changed a field of the draw: a second run differs by up to {gap_of(again, fresh)}"
        )
    return None


@_check("return new memory, as images.clone() or images + 0 is")
def returns_new_pictures(case: Case) -> str | None:
    """The result shares no memory with the pictures; the noise floor may hand them through."""
    images = case.images(2)
    result = case.raw(images, case.top, case.draw(count=2))
    if not case.still and memory_of(result) == memory_of(images):
        return "what it returns lies in the memory of the pictures that it was given"
    return None


@_check("let a larger strength change the picture more, and one draw a path serve all strengths")
def changes_more_with_the_strength(case: Case) -> str | None:
    """The distance from the clean pictures never falls along the ladder, and is not 0 at its top.

    Of the noise floor it is 0 throughout.
    """
    distances = [case.distance(strength) for strength in case.ladder]
    if case.still:
        return None if not any(distances) else f"the noise floor changes by {max(distances):.3g}"
    if distances[-1] == 0:
        return f"at {case.top:g}, the top of the ladder, nothing changes"
    rungs = pairwise(zip(case.ladder, distances, strict=True))
    for (low, before), (high, after) in rungs:
        if after < before - case.resolution:
            return f"the change falls from {before:.4g} (RMS) at {low:g} to {after:.4g} at {high:g}"
    return None


@_check("mend the formula where it divides or takes a root, or state differentiable=False")
def has_the_gradient_that_it_claims(case: Case) -> str | None:
    """Where it claims to be differentiable gradients are finite and not 0; else there is none."""
    first, claimed = case.ladder[0], case.perturbation.differentiable
    for strength in (first, torch.tensor([first, 0.0, first])):
        images = case.images(3).requires_grad_()
        result = case.perturbation(images, strength, case.draw(count=3))
        gradient = gradient_of(result, images)
        # A picture at strength 0 is handed through, and its gradient with it.
        moved = gradient[::2] if isinstance(strength, Tensor) else gradient
        at = "strengths of which one is 0" if moved is not gradient else f"{first:g}"
        if not gradient.isfinite().all():
            return f"at {at} the gradient is not finite"
        if claimed and not moved.any():
            return f"at {at} no gradient flows through it to the pictures"
        if not claimed and moved.any():
            return f"it states differentiable=False, but at {at} a gradient flows through it"
    return None


def _step_at_0(case: Case, rounded: float) -> str | None:
    """Whether a stepwise function makes a step where the strength is 0."""
    images = case.scenes(2)
    for strength in (0.0, torch.zeros(2, 1, 1, 1, dtype=case.dtype)):
        raw = case.raw(case.scenes(2), strength, case.draw(count=2)).double()
        change = float((raw - images).square().mean().sqrt())
        if not change <= rounded:
            return (
                f"it states stepwise=True, and at strength 0 the function itself changes the "
                f"pictures by {change:.3g} (RMS): it must make no step there"
            )
    return None


def _clamped_away(case: Case) -> str | None:
    """Whether the clamp takes away more of the change at the top than it leaves.

    On pictures without black or white edges, which the least light or noise takes out of range.
    """
    images = case.scenes(2)
    raw = case.raw(case.scenes(2), case.top, case.draw(count=2)).double()
    kept = raw.clamp(0, 1)
    lost, left = (float(part.square().mean().sqrt()) for part in (raw - kept, kept - images))
    if lost > left:
        return (
            f"at {case.top:g} the clamp to [0, 1] takes away a change of {lost:.3g} (RMS), and "
            f"leaves {left:.3g}"
        )
    return None
