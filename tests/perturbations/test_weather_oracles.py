"""Haze and low sun against their formulas, pixel by pixel in float64, and for what they promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations import Draw, get

Scenes = Callable[..., Tensor]
SHAPE = (4, 3, 97, 131)


def draw(count: int = 4) -> Draw:
    return Draw.of(3, "weather", [str(index) for index in range(count)])


def haze_parts(size: tuple[int, int], strength: float, count: int = 4) -> tuple[Tensor, Tensor]:
    """The airlight (n,) and the depth (n, h, w) that a black and a white picture give away."""
    black = torch.zeros(count, 1, *size, dtype=torch.float64)
    ends = [get("haze")(plain, strength, draw(count))[:, 0] for plain in (black, black + 1)]
    clear = ends[1] - ends[0]
    airlight = (ends[0] / (1 - clear)).flatten(1)
    torch.testing.assert_close(airlight, airlight[:, :1].expand(airlight.shape), rtol=1e-5, atol=0)
    return airlight[:, 0], clear.log() / np.log1p(-np.float64(np.float32(strength)))


def test_haze_in_closed_form(scenes: Scenes) -> None:
    images, strength = scenes(*SHAPE), 0.3
    y, x = (np.mgrid[:97, :131] + 0.5) / np.array([97, 131])[:, None, None]
    airlights = 0.8 + 0.2 * draw().uniform(1, 1, 1, stream=1).flatten().double().numpy()
    numbers = 2 * draw().uniform(4, 1, 1).flatten(1).double().numpy() - 1
    result = get("haze")(images, strength, draw()).numpy()
    for image, hazy, airlight, drawn in zip(images, result, airlights, numbers, strict=True):
        weights = np.array([(drawn[0] + 3) / 2, *drawn[1:]])
        weights /= np.abs(weights).sum()
        modes = np.cos(np.pi * np.array([y, 2 * y, x, 2 * x]))
        depth = 1 + np.tensordot(weights, modes, axes=1)
        clear = (1 - strength) ** depth
        expected = image.double().numpy() * clear + airlight * (1 - clear)
        np.testing.assert_allclose(hazy, expected, rtol=0, atol=1e-6)


def test_the_haze_has_one_depth_whatever_its_strength() -> None:
    """Koschmieder's law: clarity falls exponentially with the depth."""
    airlight, depth = haze_parts((97, 131), 0.2)
    thicker_airlight, thicker_depth = haze_parts((97, 131), 0.6)
    torch.testing.assert_close(depth, thicker_depth, rtol=0, atol=1e-5)
    torch.testing.assert_close(airlight, thicker_airlight)


def test_the_depth_is_smooth_of_mean_1_and_farther_above() -> None:
    airlight, depth = haze_parts((64, 96), 0.4, count=50)
    assert ((airlight >= 0.8) & (airlight < 1)).all()
    assert airlight.std() > 0.04
    torch.testing.assert_close(depth.mean((1, 2)), torch.ones(50).double(), rtol=0, atol=1e-5)
    assert (depth > -1e-5).all()
    assert (depth < 2 + 1e-5).all()
    assert (depth[:, :32].mean((1, 2)) > depth[:, 32:].mean((1, 2))).all()
    for dim, size in ((1, 64), (2, 96)):
        assert depth.diff(dim=dim).abs().max() < 2 * np.pi / size
    assert depth.std(dim=0).mean() > 0.1, "each image has its own"


def test_low_sun_in_closed_form(scenes: Scenes) -> None:
    images, strength = scenes(*SHAPE), 0.4
    tops = draw().uniform(1, 1, 1).flatten().double().numpy() * 97 / 2
    lefts = draw().sign().flatten().numpy() > 0
    assert 0 < lefts.sum() < 4, "the ids must try both sides"
    y, x = np.mgrid[:97, :131] + 0.5
    result = get("low_sun")(images, strength, draw()).numpy()
    for image, lit, top, left in zip(images, result, tops, lefts, strict=True):
        distance = np.hypot(y - top, x - (0 if left else 131)) / 97
        glow = 1 / (1 + (distance / 0.5) ** 2)
        pixels = image.double().numpy()
        veil = strength * np.array([1, 0.8, 0.55])[:, None, None] * glow
        np.testing.assert_allclose(lit, pixels + (1 - pixels) * veil, rtol=0, atol=1e-6)


def test_low_sun_is_warm_and_grey_pictures_get_its_luma() -> None:
    plain = torch.full((4, 3, 64, 64), 0.4)
    light = get("low_sun")(plain, 0.5, draw()) - plain
    red, green, blue = light.unbind(1)
    assert (red > green).all()
    assert (green > blue).all()
    grey = get("low_sun")(plain[:, :1], 0.5, draw()) - plain[:, :1]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    torch.testing.assert_close(grey[:, 0], luma, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["haze", "low_sun"])
def test_the_weather_is_the_same_at_any_resolution(name: str) -> None:
    small = torch.full((4, 3, 28, 28), 0.4)
    large = torch.full((4, 3, 448, 448), 0.4)
    seen = F.avg_pool2d(get(name)(large, 0.5, draw()), 16)
    torch.testing.assert_close(seen, get(name)(small, 0.5, draw()), rtol=0, atol=3e-3)
