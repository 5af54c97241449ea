"""Square and disc kernels against quadratures of their definition, convolved by scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from semaudit.perturbations import Draw, get

Scenes = Callable[..., Tensor]
SHAPE = (2, 3, 61, 83)
SIDE = 61
DRAW = Draw.of(3, "blur", ["a", "b"])


def point_spread(name: str, pixels: float, size: int = 65) -> np.ndarray:
    """What becomes of one bright pixel in the middle: (size, size) float64."""
    point = torch.zeros(1, 1, size, size, dtype=torch.float64)
    point[..., size // 2, size // 2] = 1
    return get(name)(point, pixels / size, Draw.of(0, "p", ["a"]))[0, 0].numpy()


def tents(places: np.ndarray, reach: int) -> np.ndarray:
    """The bilinear weight of each pixel -reach..reach at each place: (places, pixels)."""
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(-reach, reach + 1)))


def box_by_points(width: float) -> np.ndarray:
    places = ((np.arange(20_000) + 0.5) / 20_000 - 0.5) * width
    return tents(places, int(width) + 2).mean(0)


def disc_by_rings(diameter: float) -> np.ndarray:
    """Gauss-Legendre over the radius, even angles: an integral in other coordinates."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    radii = (nodes + 1) / 2 * diameter / 2
    angles = (np.arange(1500) + 0.5) / 1500 * 2 * np.pi
    x = (radii[:, None] * np.cos(angles)).ravel()
    y = (radii[:, None] * np.sin(angles)).ravel()
    share = np.repeat(weights * radii, len(angles))
    reach = int(diameter) + 2
    kernel = (tents(y, reach) * share[:, None]).T @ tents(x, reach)
    return np.asarray(kernel / kernel.sum())


@pytest.mark.parametrize("width", [0.2, 1.0, 2.7, 9.4])
def test_box_blur_against_scipy(width: float, scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    expected = images.double().numpy()
    for axis in (2, 3):
        expected = ndimage.correlate1d(expected, box_by_points(width), axis, mode="reflect")
    result = get("box_blur")(images, width / SIDE, DRAW)
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("width", "kernel"), [(1, [1 / 8, 3 / 4, 1 / 8]), (2, [1 / 4, 1 / 2, 1 / 4])]
)
def test_box_blur_of_whole_pixels_in_closed_form(width: int, kernel: list[float]) -> None:
    spread = point_spread("box_blur", width)[31:34, 31:34]
    np.testing.assert_allclose(spread, np.outer(kernel, kernel), atol=1e-7)


@pytest.mark.parametrize("diameter", [0.3, 1.0, 2.7, 6.1, 12.0])
def test_defocus_blur_against_scipy(diameter: float, scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    kernel = disc_by_rings(diameter)
    expected = ndimage.convolve(images.double().numpy(), kernel[None, None], mode="reflect")
    result = get("defocus_blur")(images, diameter / SIDE, DRAW)
    np.testing.assert_allclose(result.numpy(), expected, atol=5e-6)


@pytest.mark.parametrize("diameter", [0.5, 3.3, 12.9])
def test_a_disc_of_light_is_the_disc(diameter: float) -> None:
    size = 65
    spread = point_spread("defocus_blur", diameter, size)
    reach = int(diameter) + 2
    middle = spread[32 - reach : 33 + reach, 32 - reach : 33 + reach]
    np.testing.assert_allclose(middle, disc_by_rings(diameter), atol=1e-4 * spread.max())
    assert spread.sum() == pytest.approx(1, abs=1e-12)
    for turned in (spread.T, spread[::-1], spread[:, ::-1]):
        np.testing.assert_allclose(spread, turned, atol=1e-12)


def test_a_wide_disc_is_flat_within_and_nothing_beyond() -> None:
    radius, size = 6.4, 65
    spread = point_spread("defocus_blur", 2 * radius, size)
    distance = np.hypot(*np.mgrid[-32:33, -32:33])
    inside, outside = distance < radius - 2**0.5, distance > radius + 2**0.5
    area = np.pi * radius**2
    np.testing.assert_allclose(spread[inside] * area, 1, atol=2e-4)
    np.testing.assert_array_equal(spread[outside], 0)


@pytest.mark.parametrize("name", ["box_blur", "defocus_blur"])
def test_a_figure_grows_without_a_threshold(name: str) -> None:
    """Twice the width moves more light out of the pixel, however far below a pixel it is."""
    left = [1 - point_spread(name, width)[32, 32] for width in (0.01, 0.02, 0.5, 0.99, 1.01, 2.5)]
    assert left[0] > 1e-3
    assert left == sorted(left)
    assert left[1] == pytest.approx(2 * left[0], rel=0.02)
