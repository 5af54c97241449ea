"""The rungs of a searched probe: the worst change found at each strength, never a milder one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semaudit.gradients import Differentiator
from semaudit.gradients.algebra import column
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import Probe
from semaudit.worst.ascent import ascend
from semaudit.worst.ball import Ball, drawn_in
from semaudit.worst.best import Best, no_milder
from semaudit.worst.blackbox import try_all
from semaudit.worst.effort import Effort
from semaudit.worst.objective import Climb
from semaudit.worst.parameters import SPACES, Space, search

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


def worst_frames(
    classifier: Classifier,
    probe: Probe,
    clean: View,
    draw: Draw,
    hunt: Hunt,
) -> Iterator[View]:
    """Yield the view of the worst pictures found at each strength of the ladder.

    What was found at a smaller strength is the start at the next, and it is kept, with the answer
    that it got, where nothing worse turns up: the shift never falls along the ladder, not even by
    what another batch does to the last digits.

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
) -> Iterator[View]:
    worst = clean
    for rung, radius in enumerate(ladder):
        shift = clean.shift_to(worst)
        rows = _open(shift)
        images = worst.images
        if len(rows):
            part, drawn = clean.rows(rows), draw.subset(rows)
            start = Best(images[rows], shift[rows])
            found = _climbed(classifier, ball, radius, part, start, drawn, hunt, rung)
            images = images.index_copy(0, rows, found.change)
        worst = no_milder(clean, worst, look(classifier, images))
        yield worst


def _climbed(
    classifier: Classifier,
    ball: Ball,
    radius: float,
    clean: View,
    found: Best,
    draw: Draw,
    hunt: Hunt,
    rung: int,
) -> Best:
    """The worst of one radius: from what the smaller one found, then from drawn places."""
    effort = hunt.effort
    if hunt.gradients is None:
        return try_all(classifier, clean, ball, radius, found, draw, effort.steps * effort.restarts)
    for restart in range(effort.restarts):
        rows = _open(found.shift)
        if not len(rows):
            break
        part, drawn, before = clean.rows(rows), draw.subset(rows), found.rows(rows)
        stream = rung * effort.restarts + restart
        start = _start(ball, part, before, radius, drawn, stream, restart)
        climb = Climb(part, effort.objective)
        climbed = ascend(hunt.gradients, climb, ball, radius, start, effort.steps)
        found = found.with_rows(rows, before.or_better(climbed.change, climbed.shift))
    return found


def _open(shift: Tensor) -> Tensor:
    """Rows of the pictures that have not reached their bound."""
    return (shift < BOUND).nonzero()[:, 0]


def _start(
    ball: Ball, clean: View, found: Best, radius: float, draw: Draw, stream: int, restart: int
) -> Tensor:
    """What a smaller radius found, or a drawn place in the ball for every other restart.

    What was found is not grown to the larger ball: the network is bumpy, and the good place is
    where it was found. Embeddings have no slope at the clean picture itself: they start aside.
    """
    if restart == 0 and clean.activation != "none":
        return found.change
    drawn = drawn_in(ball, clean.images, radius, draw, stream)
    if restart:
        return drawn
    return torch.where(column(found.shift > 0), found.change, drawn)


def _in_space(
    classifier: Classifier,
    space: Space,
    ladder: Sequence[float],
    clean: View,
    draw: Draw,
    trials: int,
) -> Iterator[View]:
    count = len(clean.images)
    best = Best(clean.images.new_zeros(count, space.size, 1, 1), clean.logits.new_zeros(count))
    smaller, worst = 0.0, clean
    for strength in ladder:
        # The same change has parameters that are smaller by the ratio of the strengths.
        best = Best(best.change * (smaller / strength), best.shift)
        rows = _open(best.shift)
        if len(rows):
            part, drawn, before = clean.rows(rows), draw.subset(rows), best.rows(rows)
            found = search(classifier, part, space, strength, before, drawn, trials)
            best = best.with_rows(rows, found)
        smaller = strength
        images = space.apply(clean.images, strength, best.change).clamp(0, 1)
        worst = no_milder(clean, worst, look(classifier, images))
        yield worst
