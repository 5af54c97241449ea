"""Checks that expose a search that fails, or gradients that mislead it.

After Athalye, Carlini, Wagner 2018, "Obfuscated gradients give a false sense of security", and
Carlini et al. 2019, "On evaluating adversarial robustness".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semaudit.gradients import Ability, Differentiator
from semaudit.gradients.algebra import l1
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.worst.ascent import ascend
from semaudit.worst.ball import Ball, drawn_in
from semaudit.worst.best import Best
from semaudit.worst.blackbox import try_all
from semaudit.worst.differences import backward_faults
from semaudit.worst.effort import Effort
from semaudit.worst.findings import Finding, raised, untrusted
from semaudit.worst.objective import Climb
from semaudit.worst.rounding import rounding

__all__ = ["Finding", "examine", "untrusted"]

KEY = "masking checks"
"""What the draws are keyed by; no probe can be called so."""

RADIUS = 8 / 255
"""L-infinity radius of the checks near the pictures: where most models are moved a lot."""

SEARCHED = 4
"""Pictures that are searched, of those that are looked at."""

SAME = 1e-4
"""Change of the logits, a share of their norm, that two identical runs may differ by."""

FLAT = 1e-15
"""A gradient along which the objective rises by no more than this within the radius is zero."""

FEW = 0.1
"""Share of the pictures from which zero gradients are a finding."""

BETTER, BETTER_BY = 1.2, 0.01
"""Factor and amount by which the search without gradients must win."""

RISEN = 0.5
"""Share of the shift that another picture makes which the search must reach at radius 1."""

MOVED = 1e-6
"""Shift below which nothing moved."""


def examine(
    classifier: Classifier,
    ability: Ability,
    images: Tensor,
    image_ids: Sequence[str],
    seed: int,
    effort: Effort,
) -> tuple[Finding, ...]:
    """Return what speaks against the worst cases and the gradients of a model.

    Args:
        classifier: what is audited.
        ability: what can be differentiated of it.
        images: clean pictures (n, c, h, w) in [0, 1], a handful.
        image_ids: their names: they key the draws.
        seed: of the draws.
        effort: of the search that is checked.
    """
    with torch.no_grad():
        clean = look(classifier, images)
        draw = Draw.of(seed, KEY, image_ids, images.device)
        differentiator = ability.differentiator
        found: list[Finding | None] = []
        if differentiator is not None:
            found += _slopes(differentiator, clean, draw, effort)
        chance = stochastic(classifier, clean)
        if chance is not None:  # what follows compares runs
            return tuple(each for each in [*found, chance] if each is not None)
        few = torch.arange(min(SEARCHED, len(images)), device=images.device)
        if differentiator is not None:
            found += backward_faults(differentiator, clean.rows(few))
        if differentiator is not None and not any(
            each and each.name == "non_finite_gradients" for each in found
        ):
            found.append(_black_box(differentiator, clean.rows(few), draw.subset(few), effort))
        found.append(_rise(classifier, differentiator, clean, few, draw.subset(few), effort))
        found.append(rounding(classifier, images))
        return tuple(each for each in found if each is not None)


def stochastic(classifier: Classifier, clean: View) -> Finding | None:
    """Whether a second look at the same pictures, in the same batch, differs."""
    again = look(classifier, clean.images).logits
    off = (again - clean.logits).norm(dim=1) / clean.logits.norm(dim=1).clamp_min(1e-12)
    worst = float(off.max())
    if worst <= SAME:
        return None
    return raised(
        "stochastic_forward",
        f"two runs differ by up to {worst:.2g} of the logits' norm on {len(off)} pictures",
    )


def _slopes(
    differentiator: Differentiator, clean: View, draw: Draw, effort: Effort
) -> list[Finding | None]:
    """Non-finite and zero gradients of the objective at drawn starts."""
    ball = Ball("linf")
    start = drawn_in(ball, clean.images, RADIUS, draw, 0)
    gradient = differentiator(start, Climb(clean, effort.objective)).gradients[0]
    size = l1(gradient)
    broken = ~size.isfinite()
    flat = (size * RADIUS <= FLAT) & ~broken
    counts = [int(count) for count in torch.stack([broken.sum(), flat.sum()]).tolist()]
    n = len(size)
    found: list[Finding | None] = []
    if counts[0]:
        found.append(
            raised("non_finite_gradients", f"{counts[0]} of {n} pictures have such gradients")
        )
    if counts[1] >= max(1.0, FEW * n):
        found.append(
            raised(
                "vanishing_gradients",
                f"{counts[1]} of {n} pictures have a gradient of 0 at a drawn place within "
                f"{255 * RADIUS:g}/255",
            )
        )
    return found


def _black_box(
    differentiator: Differentiator, clean: View, draw: Draw, effort: Effort
) -> Finding | None:
    """Whether as many tries without gradients find clearly more than the ascent."""
    ball = Ball("linf")
    start = drawn_in(ball, clean.images, RADIUS, draw, 0)
    climb = Climb(clean, effort.objective)
    climbed = ascend(differentiator, climb, ball, RADIUS, start, effort.steps).shift
    none = Best(clean.images, torch.zeros_like(climbed))
    tried = try_all(differentiator.classifier, clean, ball, RADIUS, none, draw, effort.steps).shift
    with_gradients, without = (float(each) for each in torch.stack([climbed, tried]).mean(1))
    if without <= max(BETTER * with_gradients, with_gradients + BETTER_BY):
        return None
    return raised(
        "black_box_beats_gradient",
        f"{effort.steps} outputs a picture find a mean shift of {without:.3g}, {effort.steps} "
        f"gradients {with_gradients:.3g}, within {255 * RADIUS:g}/255 of {len(climbed)} pictures",
    )


def _rise(
    classifier: Classifier,
    differentiator: Differentiator | None,
    clean: View,
    few: Tensor,
    draw: Draw,
    effort: Effort,
) -> Finding | None:
    """Whether the search with a radius of 1 finds what other pictures show to be possible."""
    ball, part = Ball("linf"), clean.rows(few)
    if differentiator is None:
        none = Best(part.images, part.logits.new_zeros(len(few)))
        found = try_all(classifier, part, ball, 1.0, none, draw, effort.steps).shift
    else:
        start = drawn_in(ball, part.images, 1.0, draw, 1)
        climb = Climb(part, effort.objective)
        found = ascend(differentiator, climb, ball, 1.0, start, effort.steps).shift
    others = [part.shift_to(clean.rows((few + k) % len(clean.images))) for k in _turns(clean)]
    possible = torch.stack([torch.zeros_like(found), *others]).amax(0)
    reached, other = (float(each) for each in torch.stack([found, possible]).mean(1))
    if reached > MOVED and reached >= RISEN * other:
        return None
    return raised(
        "no_rise_to_one",
        f"the mean shift that is found within the L-infinity radius 1 is {reached:.3g}; "
        f"another of the pictures makes {other:.3g}",
    )


def _turns(clean: View) -> range:
    return range(1, len(clean.images))
