"""The search over the parameters of a move or of a light, against a dense grid of them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from known_models import classifier, pictures, rng
from torch import Tensor, nn

from semaudit.look import look
from semaudit.metrics.views import View
from semaudit.models import Classifier
from semaudit.perturbations import Draw
from semaudit.worst.effort import CHEAP, FULL, Effort
from semaudit.worst.frames import _in_space
from semaudit.worst.parameters import SPACES, Space

SIZE = (3, 12, 12)
IDS = ("a", "b", "c", "d", "e", "f")
LADDERS = {"rigid_move": (0.02, 0.05, 0.1), "relight": (0.04, 0.1, 0.2)}
SIDES = {"rigid_move": 9, "relight": 21}
"""Points a parameter: 6,561 moves and 9,261 lights a picture, against 60 tries of the full search
and 12 of the cheap one."""

TOLERANCE = {FULL: 0.06, CHEAP: 0.25}
"""What the search may miss of the grid's best, as a share of it, in the mean over the pictures."""


class Network(nn.Module):
    """Two layers that see the picture smoothed over 3 x 3 values: the shift is no mere noise."""

    num_classes = 5

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.first = torch.randn(3 * 100, 16, generator=rng(seed), dtype=torch.float64) / 4
        self.last = torch.randn(16, 5, generator=rng(seed + 1), dtype=torch.float64)

    def forward(self, images: Tensor) -> Tensor:
        smooth = nn.functional.avg_pool2d(images.double() - 0.5, 3, stride=1)
        return (smooth.flatten(1) @ self.first).tanh() @ self.last


def grid_best(audited: Classifier, clean: View, space: Space, strength: float, side: int) -> Tensor:
    """The largest shift of each picture on a grid of all parameters, ends included."""
    ticks = torch.linspace(-1, 1, side).tolist()
    points = torch.tensor(list(itertools.product(ticks, repeat=space.size)))
    best: list[Tensor] = []
    for row in range(len(clean.images)):
        one = clean.rows(torch.tensor([row]))
        largest = torch.zeros((), dtype=torch.float64)
        for part in points.split(1024):
            images = one.images.expand(len(part), -1, -1, -1)
            changed = space.apply(images, strength, part[:, :, None, None]).clamp(0, 1)
            largest = torch.maximum(largest, one.shift_to(look(audited, changed)).max())
        best.append(largest)
    return torch.stack(best)


@pytest.mark.parametrize("effort", [CHEAP, FULL], ids=["cheap", "full"])
@pytest.mark.parametrize("name", ["rigid_move", "relight"])
def test_the_search_finds_what_a_dense_grid_finds(name: str, effort: Effort) -> None:
    space, ladder = SPACES[name], LADDERS[name]
    audited = classifier(Network(seed=1), SIZE)
    with torch.no_grad():
        clean = look(audited, pictures(len(IDS), SIZE, seed=2, low=0.0, high=1.0))
        draw = Draw.of(0, name, IDS)
        found = list(_in_space(audited, space, ladder, clean, draw, effort.candidates))
        assert SIDES[name] ** space.size > 100 * effort.candidates
        for strength, view in zip(ladder, found, strict=True):
            expected = grid_best(audited, clean, space, strength, SIDES[name])
            shift = clean.shift_to(view)
            assert float(expected.min()) > 1e-5
            assert float((shift / expected).mean()) >= 1 - TOLERANCE[effort]


@pytest.mark.parametrize("name", ["rigid_move", "relight"])
def test_what_is_found_is_a_change_of_the_family_within_its_reach(name: str) -> None:
    """No grid can be beaten by more than what lies between its points."""
    space, (strength, *_) = SPACES[name], LADDERS[name]
    audited = classifier(Network(seed=3), SIZE)
    with torch.no_grad():
        clean = look(audited, pictures(len(IDS), SIZE, seed=4))
        draw = Draw.of(0, name, IDS)
        (view,) = _in_space(audited, space, (strength,), clean, draw, FULL.candidates)
        expected = grid_best(audited, clean, space, strength, SIDES[name])
    shift = clean.shift_to(view)
    assert math.isfinite(float(shift.sum()))
    assert (shift <= 1.1 * expected).all()
