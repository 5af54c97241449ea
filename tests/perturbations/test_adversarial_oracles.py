"""Moves, lights and balls against scipy and plain float64 formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from semaudit.perturbations import Draw, get
from semaudit.perturbations.adversarial import moved, relit

Scenes = Callable[..., Tensor]
IDS = ["a", "b", "c", "d"]
CORNERS = torch.tensor(
    [[0.3, -0.7, 0.9, -0.5], [-1, 1, -1, 1], [0, 0, 1, 0], [0.0, 0.0, 0.0, -1]]
).view(4, 4, 1, 1)


@pytest.mark.parametrize("size", [(97, 131), (28, 28)])
@pytest.mark.parametrize("strength", [0.01, 0.1])
def test_a_rigid_move_reads_where_turn_size_and_shift_say(
    size: tuple[int, int], strength: float, scenes: Scenes
) -> None:
    images = scenes(4, 3, *size)
    height, width = size
    y, x = np.mgrid[:height, :width].astype(float)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    result = moved(images, strength, CORNERS).double().numpy()
    side = min(size)
    for k, (right, down, turn, larger) in enumerate(CORNERS.flatten(1).double().tolist()):
        angle, factor = 2 * strength * turn, 1 + 2 * strength * larger
        places = np.stack(
            (
                (x * np.sin(angle) + y * np.cos(angle)) / factor
                - strength * side * down
                + (height - 1) / 2,
                (x * np.cos(angle) - y * np.sin(angle)) / factor
                - strength * side * right
                + (width - 1) / 2,
            )
        )
        for plane, given in zip(result[k], images[k].double().numpy(), strict=True):
            expected = ndimage.map_coordinates(given, places, order=1, mode="reflect")
            np.testing.assert_allclose(plane, expected, atol=2e-4)


def test_each_part_of_a_move_alone_stays_within_its_reach_in_the_inscribed_circle() -> None:
    """A picture of its own coordinates tells how far it was moved."""
    side, strength = 101, 0.02
    line = torch.linspace(0.2, 0.8, side)
    images = torch.stack([line.expand(side, side), line[:, None].expand(side, side)])[None]
    middle = torch.arange(side) - (side - 1) / 2
    inside = (middle.square() + middle[:, None].square()).sqrt() <= (side - 1) / 2 * 0.9
    for part in range(4):
        parameters = torch.zeros(1, 4, 1, 1)
        parameters[0, part] = 1
        change = (moved(images, strength, parameters) - images) / (line[1] - line[0])
        far = change[0].square().sum(0).sqrt()[inside].max()
        assert 0.8 * strength * side < far <= 1.05 * strength * side


@pytest.mark.parametrize("strength", [0.02, 0.2])
def test_a_light_without_hue_is_brightness_and_contrast_about_the_mean(
    strength: float, scenes: Scenes
) -> None:
    images = scenes(4, 3, 31, 43)
    parameters = torch.tensor([[0.4, -0.8, 0], [-1, 1, 0], [1, 1, 0], [0, 0, 0]]).view(4, 3, 1, 1)
    given = images.double().numpy()
    p = parameters.double().numpy()
    mean = given.mean((1, 2, 3), keepdims=True)
    expected = mean + (given - mean) * (1 + 2 * strength * p[:, 1:2]) + strength * p[:, :1]
    result = relit(images, strength, parameters).clamp(0, 1)
    np.testing.assert_allclose(result.numpy(), expected.clip(0, 1), atol=3e-6)


def test_the_hue_of_a_light_turns_as_the_perturbation_hue_does(scenes: Scenes) -> None:
    """A quarter of the strength in turns."""
    images = scenes(4, 3, 31, 43)
    draw = Draw.of(3, "hue", IDS)
    turned = get("hue")(images, 0.05, draw)
    parameters = torch.zeros(4, 3, 1, 1)
    parameters[:, 2:] = draw.sign()
    result = relit(images, 0.2, parameters).clamp(0, 1)
    torch.testing.assert_close(result, turned, rtol=0, atol=2e-6)


def test_a_grey_picture_keeps_its_hue(scenes: Scenes) -> None:
    images = scenes(4, 1, 9, 9)
    parameters = torch.zeros(4, 3, 1, 1)
    parameters[:, 2] = 1
    assert torch.equal(relit(images, 0.3, parameters), images)


def test_a_drawn_place_of_a_ball_is_at_its_surface() -> None:
    images = torch.full((4, 3, 40, 40), 0.5)
    change = get("linf_ball")(images, 0.01, Draw.of(1, "x", IDS)) - images
    torch.testing.assert_close(change.abs(), torch.full_like(change, 0.01), rtol=0, atol=1e-6)
    change = get("l2_ball")(images, 0.01, Draw.of(1, "x", IDS)) - images
    size = change.square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(size, torch.full_like(size, 0.01), rtol=0.05, atol=0)
