"""Searches in balls against dual norms, and what must hold of any model, in float64."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known_models import Linear, classifier, pictures, rng
from torch import Tensor, nn

from semaudit.gradients import Differentiator
from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.probes import load_probes
from semaudit.trace import walk
from semaudit.worst.ball import Ball, Norm
from semaudit.worst.best import Best
from semaudit.worst.blackbox import try_all
from semaudit.worst.effort import CHEAP, Effort, Objective
from semaudit.worst.frames import BALLS, Hunt, _in_ball
from semaudit.worst.segment import FirstFlips

SIZE = (3, 6, 6)
LADDER = (0.01, 0.02, 0.04, 0.08)
IDS = ("a", "b", "c", "d")


def along(
    audited: Classifier,
    images: Tensor,
    norm: Norm,
    effort: Effort = CHEAP,
    ids: Sequence[str] = IDS,
    gradients: bool = True,
    ladder: Sequence[float] = LADDER,
) -> tuple[View, list[View]]:
    """The clean view and the worst along the ladder."""
    hunt = Hunt(effort, Differentiator(audited) if gradients else None)
    with torch.no_grad():
        clean = look(audited, images)
        draw = Draw.of(0, "worst", ids)
        return clean, list(_in_ball(audited, BALLS[f"{norm}_ball"], ladder, clean, draw, hunt))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_worst_margin_of_a_linear_model_is_the_dual_norm(norm: Norm) -> None:
    """Two classes: the margin is linear, and its worst change radius * ||w||_1, or ||w||_2 * L2."""
    module = Linear(SIZE, 2, seed=1, scale=0.02)
    audited = classifier(module, SIZE)
    images = pictures(4, SIZE, seed=2).double()
    clean, rungs = along(audited, images, norm, Effort(20, 1, 1, "margin"))
    top = clean.top_class
    weight = module.head.weight.detach()
    towards = weight[1 - top] - weight[top]
    values = towards.shape[1]
    for radius, rung in zip(LADDER, rungs, strict=True):
        if norm == "linf":
            expected = radius * towards.abs().sum(1)
        else:
            expected = radius * math.sqrt(values) * towards.norm(dim=1)
        change = rung.logits - clean.logits
        reached = change.gather(1, 1 - top[:, None]) - change.gather(1, top[:, None])
        torch.testing.assert_close(reached[:, 0], expected, rtol=1e-4, atol=0)


class Bumpy(nn.Module):
    """A random network whose logits go up and down many times within the ball."""

    num_classes = 4

    def __init__(self, seed: int, waves: float) -> None:
        super().__init__()
        self.first = torch.randn(108, 16, generator=rng(seed), dtype=torch.float64) * waves
        self.last = torch.randn(16, 4, generator=rng(seed + 1), dtype=torch.float64)

    def forward(self, images: Tensor) -> Tensor:
        return (images.double().flatten(1) @ self.first).sin() @ self.last


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    waves=st.sampled_from([0.3, 3.0, 30.0]),
    norm=st.sampled_from(["linf", "l2"]),
    gradients=st.booleans(),
    objective=st.sampled_from(["jsd", "kl", "margin", "overlap"]),
)
def test_shift_never_falls_and_pictures_stay_in_the_ball(
    seed: int, waves: float, norm: Norm, gradients: bool, objective: Objective
) -> None:
    audited = classifier(Bumpy(seed, waves), SIZE)
    images = pictures(4, SIZE, seed=seed, low=0.0, high=1.0)
    effort = Effort(4, 2, 1, objective)
    clean, rungs = along(audited, images, norm, effort, gradients=gradients)
    before = torch.zeros(4, dtype=torch.float64)
    for radius, rung in zip(LADDER, rungs, strict=True):
        shift = clean.shift_to(rung)
        assert (shift >= before).all()
        before = shift
        change = (rung.images - images).flatten(1).double()
        size = change.abs().amax(1) if norm == "linf" else change.square().mean(1).sqrt()
        assert (size <= radius * (1 + 1e-5) + 1e-7).all()
        assert rung.images.min() >= 0
        assert rung.images.max() <= 1
        torch.testing.assert_close(
            look(audited, rung.images).logits, rung.logits, rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("name", ["worst_linf", "worst_l2", "worst_move", "worst_light"])
def test_every_searched_probe_rises_through_the_trace(name: str) -> None:
    audited = classifier(Bumpy(5, 3.0), SIZE)
    (probe,) = (each for each in load_probes() if each.name == name)
    with torch.no_grad():
        clean = look(audited, pictures(4, SIZE, seed=3))
        draw = Draw.of(0, name, IDS)
        hunt = Hunt(Effort(3, 1, 12), Differentiator(audited))
        shift = walk(audited, probe, clean, draw, hunt=hunt).rungs["shift"]
    assert (shift.diff(dim=1) >= 0).all()
    assert (shift[:, -1] > 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_picture_is_searched_as_if_alone(norm: Norm) -> None:
    """Whoever is with it in the batch, and whoever has left it at the bound."""
    audited = classifier(Linear(SIZE, 3, seed=4, scale=20.0), SIZE)
    images = pictures(4, SIZE, seed=5)
    effort = Effort(5, 2, 1)
    clean, together = along(audited, images, norm, effort)
    bounds = [int((clean.shift_to(rung) > 1 - 1e-4).sum()) for rung in together]
    assert any(0 < bound < 4 for bound in bounds)
    for k in range(4):
        _, alone = along(audited, images[k : k + 1], norm, effort, ids=IDS[k : k + 1])
        for one, other in zip(alone, together, strict=True):
            torch.testing.assert_close(one.images[0], other.images[k], rtol=0, atol=1e-6)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize("objective", ["jsd", "kl", "margin", "overlap"])
def test_every_kind_of_output_is_moved(activation: Any, objective: Objective) -> None:
    audited = dataclasses.replace(
        classifier(Linear(SIZE, 5, seed=6, scale=0.1), SIZE), activation=activation
    )
    images = pictures(4, SIZE, seed=7)
    clean, rungs = along(audited, images, "linf", Effort(8, 1, 1, objective))
    draw = Draw.of(1, "chance", IDS)
    with torch.no_grad():
        none = Best(images, torch.zeros(4, dtype=torch.float64))
        chance = try_all(audited, clean, Ball("linf"), LADDER[-1], none, draw, 8)
    assert (clean.shift_to(rungs[-1]) > 1.2 * chance.shift).all()


def test_the_onset_on_the_way_to_a_found_change_is_where_a_linear_margin_is_zero() -> None:
    audited = classifier(Linear(SIZE, 2, seed=8, scale=0.02), SIZE)
    images = pictures(4, SIZE, seed=9).double()
    clean, rungs = along(audited, images, "linf", Effort(6, 1, 1, "margin"), ladder=(0.2, 0.4))
    flips = FirstFlips(clean)
    with torch.no_grad():
        flips.see(rungs[0], 0.2)
        flips.see(rungs[1], 0.4)
        onsets = flips.onsets(audited)
    before, after = (view.logits.diff(dim=1)[:, 0] for view in (clean, rungs[0]))
    flipped = before.sign() != after.sign()
    assert flipped.any()
    exact = 0.2 * before / (before - after)
    torch.testing.assert_close(onsets[flipped], exact[flipped], rtol=0, atol=0.2 / 1024)
    assert (onsets[flipped] >= exact[flipped] - 1e-12).all()


def test_trials_without_gradients_cost_exactly_their_budget() -> None:
    seen = []

    class Counting(Linear):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(len(images))
            return super().forward(images)

    audited = classifier(Counting(SIZE, 3, seed=1), SIZE)
    with torch.no_grad():
        clean = look(audited, pictures(4, SIZE, seed=5))
        seen.clear()
        none = Best(clean.images, torch.zeros(4, dtype=torch.float64))
        try_all(audited, clean, Ball("linf"), 0.1, none, Draw.of(0, "x", IDS), 7)
    assert seen == [4] * 7
