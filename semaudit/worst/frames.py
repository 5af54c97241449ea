"""The rungs of a searched probe: the worst change found at each strength, never a milder one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit.gradients import Differentiator
from semaudit.gradients.algebra import column
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe
from semaudit.worst.ascent import ascend
from semaudit.worst.ball import Ball
from semaudit.worst.best import Best
from semaudit.worst.blackbox import try_all
from semaudit.worst.effort import Effort
from semaudit.worst.objective import Climb
from semaudit.worst.parameters import SPACES, Choice, Space, search

BALLS = {"linf_ball": Ball("linf"), "l2_ball": Ball("l2")}
"""By the name of the perturbation."""

BOUND = 1 - 1e-4
"""Shift at which a picture has reached its bound, 1, and leaves the search."""


@dataclass(frozen=True)
class Hunt:
    """How worst cases are looked for.

    Attributes:
        effort: how hard.
        gradients: takes them; None searches without.
    """

    effort: Effort
    gradients: Differentiator | None


def is_searched(probe: Probe) -> bool:
    """Whether the worst case of a probe's perturbation is looked for, rather than a drawn one."""
    return probe.searched


def worst_frames(
    classifier: Classifier,
    probe: Probe,
    clean: View,
    draw: Draw,
    hunt: Hunt,
) -> Iterator[Tensor]:
    """Yield the worst pictures found at each strength of the ladder, (n, c, h, w) in [0, 1].

    What was found at a smaller strength is the start at the next, and is kept where nothing worse
    turns up: the shift never falls along the ladder.

    Args:
        classifier: what is audited.
        probe: of the family `adversarial`.
        clean: the clean view.
        draw: the random numbers of these pictures.
        hunt: how to look.
    """
    if probe.perturbation in BALLS:
        ball = BALLS[probe.perturbation]
        return _in_ball(classifier, ball, probe.ladder, clean, draw, hunt)
    space = SPACES[probe.perturbation]
    return _in_space(classifier, space, probe.ladder, clean, draw, hunt.effort.candidates)


def _in_ball(
    classifier: Classifier,
    ball: Ball,
    ladder: Sequence[float],
    clean: View,
    draw: Draw,
    hunt: Hunt,
) -> Iterator[Tensor]:
    effort = hunt.effort
    best = Best(clean.images, clean.logits.new_zeros(len(clean.images)))
    smaller = 0.0
    for rung, radius in enumerate(ladder):
        rows = (best.shift < BOUND).nonzero()[:, 0]
        if len(rows):
            part, at_rows = clean.rows(rows), draw.subset(rows)
            found = Best(best.images[rows], best.shift[rows])
            for restart in range(effort.restarts):
                stream = rung * effort.restarts + restart
                if hunt.gradients is None:
                    found = try_all(classifier, part, ball, radius, found, at_rows, effort.steps)
                    continue
                grown = radius / smaller if smaller and restart == 0 else None
                start = _start(ball, part, found, radius, at_rows, stream, grown)
                climb = Climb(part, effort.objective)
                climbed = ascend(hunt.gradients, climb, ball, radius, start, effort.steps)
                found = found.or_better(climbed.images, climbed.shift)
            best = best.placed(rows, found)
        smaller = radius
        yield best.images


def _start(
    ball: Ball,
    clean: View,
    found: Best,
    radius: float,
    draw: Draw,
    stream: int,
    grown: float | None,
) -> Tensor:
    """What a smaller radius found, grown to this one; or, at first, a drawn place in the ball."""
    field = draw.normal(*clean.images.shape[1:], stream=stream).to(clean.images)
    drawn = ball.project(clean.images + radius * ball.on_surface(field), clean.images, radius)
    if grown is None:
        return drawn
    larger = clean.images + grown * (found.images - clean.images)
    larger = ball.project(larger, clean.images, radius)
    return torch.where(column(found.shift > 0), larger, drawn)


def _in_space(
    classifier: Classifier,
    space: Space,
    ladder: Sequence[float],
    clean: View,
    draw: Draw,
    trials: int,
) -> Iterator[Tensor]:
    count = len(clean.images)
    best = Choice(clean.images.new_zeros(count, space.size, 1, 1), clean.logits.new_zeros(count))
    smaller = 0.0
    for strength in ladder:
        # The same change has parameters that are smaller by the ratio of the strengths.
        best = Choice(best.parameters * (smaller / strength), best.shift)
        best = search(classifier, clean, space, strength, best, draw, trials)
        smaller = strength
        yield space.apply(clean.images, strength, best.parameters).clamp(0, 1)
