"""Oracle: numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import rng, view

from semaudit.metrics import Rung
from semaudit.metrics.inputs import input_linf, input_rms, ssim


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 5, 9), (3, 16, 16)])
def test_input_distances_are_numpys(size: tuple[int, int, int]) -> None:
    x, y = torch.rand((2, 6, *size), generator=rng(1))
    rung = Rung(view(torch.zeros(6, 2), x), view(torch.zeros(6, 2), y))
    difference = (y - x).double().numpy().reshape(6, -1)
    rms = np.sqrt((difference**2).mean(1))
    np.testing.assert_allclose(input_rms(rung).numpy(), rms, rtol=1e-6)
    np.testing.assert_allclose(input_linf(rung).numpy(), np.abs(difference).max(1), rtol=1e-6)


def test_a_uniform_change_has_both_distances_equal_to_it() -> None:
    x = torch.full((2, 3, 8, 8), 0.25)
    rung = Rung(view(torch.zeros(2, 2), x), view(torch.zeros(2, 2), x + 0.5))
    assert input_rms(rung).tolist() == [0.5, 0.5]
    assert input_linf(rung).tolist() == [0.5, 0.5]


def test_white_and_black_are_as_far_apart_as_can_be() -> None:
    x = torch.zeros(1, 3, 8, 8)
    rung = Rung(view(torch.zeros(1, 2), x), view(torch.zeros(1, 2), 1 - x))
    assert input_rms(rung).item() == input_linf(rung).item() == 1
    assert ssim(rung).item() == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-3)
