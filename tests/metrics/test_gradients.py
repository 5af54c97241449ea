"""How far gradients turned and how much they changed, against closed forms; what is left empty."""

from __future__ import annotations

import math

import pytest
import torch
from known_models import rng
from torch import Tensor

from semaudit.metrics import RUNG_FUNCTIONS, Rung, View

COLUMNS = ("gradient_turn", "gradient_change", "gradient_lipschitz", "loss_gradient_turn")


def view(gradient: Tensor | None, images: Tensor | None = None, loss: Tensor | None = None) -> View:
    count = 1 if gradient is None else len(gradient)
    pixels = torch.zeros(count, 1, 1, 2, dtype=torch.float64) if images is None else images
    logits = torch.zeros(count, 3, dtype=torch.float64)
    return View(pixels, logits, None, gradient=gradient, loss_gradient=loss)


def at(*rows: tuple[float, float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).view(-1, 1, 1, 2)


def measured(column: str, before: View, after: View) -> Tensor:
    return RUNG_FUNCTIONS[column](Rung(before, after))


@pytest.mark.parametrize("column", ["gradient_turn", "loss_gradient_turn"])
@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.3, math.pi / 2, 2.5, math.pi])
def test_a_turn_is_1_less_the_cosine_whatever_the_lengths(column: str, angle: float) -> None:
    """To its own precision where the angle is small, in which 1 - cos has no digits left."""
    before, after = at((3.0, 0.0)), at((1e-20 * math.cos(angle), 1e-20 * math.sin(angle)))
    found = measured(column, view(before, loss=before), view(after, loss=after))
    expected = 2 * math.sin(angle / 2) ** 2
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-30)


def test_no_turn_leaves_0_to_2() -> None:
    gradient = torch.randn((200, 1, 1, 2), generator=rng(0))
    for other in (gradient, -gradient, 3 * gradient):
        found = measured("gradient_turn", view(gradient), view(other))
        assert ((found >= 0) & (found <= 2)).all()


def test_change_and_lipschitz_are_the_ratios_they_say() -> None:
    moved = at((0.03, 0.04), (0.0, 0.1))
    before, after = view(at((3.0, 4.0), (1.0, 0.0))), view(at((0.0, 0.0), (1.0, 0.5)), moved)
    change, steep = (measured(column, before, after) for column in COLUMNS[1:3])
    torch.testing.assert_close(change, torch.tensor([1.0, 0.5], dtype=torch.float64))
    torch.testing.assert_close(steep, torch.tensor([100.0, 5.0], dtype=torch.float64))


def test_float32_gradients_are_measured_in_float64() -> None:
    """Their squares would be 0 or infinite."""
    for scale in (1e-30, 1e30):
        before, after = view(at((3 * scale, 0)).float()), view(at((0, 4 * scale)).float())
        assert float(measured("gradient_turn", before, after)) == pytest.approx(1)
        assert float(measured("gradient_change", before, after)) == pytest.approx(5 / 3, rel=1e-6)


INFINITE = at((math.inf, 1.0))
ZERO, SOME = at((0.0, 0.0)), at((1.0, 2.0))


@pytest.mark.parametrize("bad", [INFINITE, -INFINITE, at((math.nan, 1.0))])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_gradient_that_is_not_finite_gives_no_number(column: str, bad: Tensor) -> None:
    moved = at((0.1, 0.1))
    for before, after in ((bad, SOME), (SOME, bad), (bad, bad)):
        seen = view(after, moved, loss=after)
        assert measured(column, view(before, loss=before), seen).isnan().all()


@pytest.mark.parametrize("column", COLUMNS)
def test_two_gradients_of_0_are_not_smooth(column: str) -> None:
    seen = view(ZERO, at((0.1, 0.1)), loss=ZERO)
    assert measured(column, view(ZERO, loss=ZERO), seen).isnan().all()


def test_a_gradient_that_appears_or_vanishes_is_a_change_but_no_turn() -> None:
    moved = at((0.0, 0.1))
    vanished = view(SOME), view(ZERO, moved)
    appeared = view(ZERO), view(SOME, moved)
    for pair in (vanished, appeared):
        assert measured("gradient_turn", *pair).isnan().all()
        steep = float(measured("gradient_lipschitz", *pair))
        assert steep == pytest.approx(math.sqrt(5) / 0.1)
    assert float(measured("gradient_change", *vanished)) == pytest.approx(1)
    assert measured("gradient_change", *appeared).isnan().all()


def test_over_no_change_of_the_picture_there_is_no_lipschitz_constant() -> None:
    assert measured("gradient_lipschitz", view(SOME), view(2 * SOME)).isnan().all()


@pytest.mark.parametrize("column", COLUMNS)
def test_where_no_gradient_was_taken_there_is_no_number(column: str) -> None:
    for before, after in ((None, None), (SOME, None), (None, SOME)):
        found = measured(column, view(before, loss=before), view(after, loss=after))
        assert found.shape == (1,)
        assert found.isnan().all()
