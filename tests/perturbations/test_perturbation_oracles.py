"""Each formula against an independent computation: scipy in float64, or closed form."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import ndimage, special
from torch import Tensor

from semaudit.perturbations import Draw, get

Scenes = Callable[..., Tensor]
SHAPE = (4, 3, 97, 131)
IDS = ["a", "b", "c", "d"]
SIDE = 97


def draw_of(name: str) -> Draw:
    return Draw.of(3, name, IDS)


def signs(name: str) -> np.ndarray:
    drawn = draw_of(name).sign().flatten().numpy()
    assert {-1.0, 1.0} == set(drawn.tolist()), "the ids must try both ways"
    return drawn


def close(result: Tensor, expected: np.ndarray, tolerance: float = 2e-6) -> None:
    np.testing.assert_allclose(result.numpy(), expected.clip(0, 1), atol=tolerance)


def test_gaussian_blur_against_scipy(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    sigma = 5.0
    expected = ndimage.gaussian_filter(images.double().numpy(), (0, 0, sigma, sigma))
    close(get("gaussian_blur")(images, sigma / SIDE, draw_of("p")), expected, 2e-3)


@pytest.mark.parametrize("sigma", [0.2, 1.3])
def test_gaussian_blur_is_the_discrete_gaussian(sigma: float, scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    kernel = special.ive(np.abs(np.arange(-20, 21)), sigma**2)
    expected = images.double().numpy()
    for axis in (2, 3):
        expected = ndimage.correlate1d(expected, kernel, axis, mode="reflect")
    close(get("gaussian_blur")(images, sigma / SIDE, draw_of("p")), expected, 3e-5)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 1.0, 3.0])
def test_gaussian_blur_has_its_variance_below_a_pixel_too(sigma: float) -> None:
    point = torch.zeros(1, 1, 65, 65)
    point[..., 32, 32] = 1
    spread = get("gaussian_blur")(point, sigma / 65, Draw.of(0, "p", ["a"]))[0, 0].double()
    steps = torch.arange(65) - 32.0
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert (spread.sum(0) * steps**2).sum().item() == pytest.approx(sigma**2, rel=5e-3)


def test_motion_blur_is_a_line_in_its_direction() -> None:
    point = torch.zeros(4, 1, 101, 101)
    point[..., 50, 50] = 1
    draw, length = draw_of("motion_blur"), 15.0
    spread = get("motion_blur")(point, length / 101, draw)[:, 0].double()
    steps = torch.arange(101) - 50.0
    torch.testing.assert_close(spread.sum((1, 2)), torch.ones(4).double(), rtol=0, atol=1e-5)
    cosine, sine = (part.flatten().double() for part in draw.direction())
    xx = (spread * steps**2).sum((1, 2))
    yy = (spread * steps[:, None] ** 2).sum((1, 2))
    xy = (spread * steps * steps[:, None]).sum((1, 2))
    along = xx * cosine**2 + 2 * xy * cosine * sine + yy * sine**2
    across = xx * sine**2 - 2 * xy * cosine * sine + yy * cosine**2
    # A uniform line has variance length^2 / 12; sharing a point among pixels adds at most 1/4.
    assert ((along > length**2 / 12 - 0.3) & (along < length**2 / 12 + 1.2)).all()
    assert (across < 0.3).all()


def test_brightness_and_contrast(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    pixels = images.double().numpy()
    sign = signs("light")[:, None, None, None]
    close(get("brightness")(images, 0.1, draw_of("light")), pixels + 0.1 * sign)
    centre = pixels.mean((1, 2, 3), keepdims=True)
    expected = centre + (pixels - centre) * (1 + 0.2 * sign)
    close(get("contrast")(images, 0.2, draw_of("light")), expected)


def test_gamma(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    exponents = 1.2 ** signs("light")[:, None, None, None].astype(float)
    expected = images.double().numpy() ** exponents
    close(get("gamma")(images, 0.2, draw_of("light")), expected, 2e-5)


def test_saturation_moves_between_grey_and_vivid(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    pixels = images.double().numpy()
    grey = np.tensordot([0.299, 0.587, 0.114], pixels, (0, 1))[:, None]
    sign = signs("light")[:, None, None, None]
    close(
        get("saturation")(images, 0.4, draw_of("light")), grey + (pixels - grey) * (1 + 0.4 * sign)
    )
    toward = get("saturation")(images, 1.0, draw_of("light"))[torch.from_numpy(sign.flatten() < 0)]
    assert (toward.amax(1) - toward.amin(1)).max() < 1e-6


def test_hue_turns_the_iq_plane(scenes: Scenes) -> None:
    images = scenes(*SHAPE) * 0.5 + 0.25
    to_yiq = np.array(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )
    turned = get("hue")(images, 0.05, draw_of("light"))
    for before, after, sign in zip(images, turned, signs("light"), strict=True):
        luma, i, q = np.tensordot(to_yiq, before.double().numpy(), 1)
        chroma = (i + 1j * q) * np.exp(2j * np.pi * 0.05 * sign)
        back = np.tensordot(np.linalg.inv(to_yiq), np.stack((luma, chroma.real, chroma.imag)), 1)
        close(after, back)
    pixels = images.double().numpy()
    grey = np.tensordot([0.299, 0.587, 0.114], pixels, (0, 1))[:, None]
    close(get("hue")(images, 0.5, draw_of("light")), 2 * grey - pixels)


@pytest.mark.parametrize("name", ["saturation", "hue"])
def test_colour_leaves_grey_pictures_alone(name: str, scenes: Scenes) -> None:
    images = scenes(4, 1, 28, 28)
    assert torch.equal(get(name)(images, 0.3, draw_of(name)), images)
    grey = images.expand(-1, 3, -1, -1)
    torch.testing.assert_close(get(name)(grey, 0.3, draw_of(name)), grey)


def test_occlusion_covers_its_area_inside_the_picture(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    images[:, :, ::2] *= 0.2  # keeps every pixel off the mean
    centre = images.double().mean((2, 3), keepdim=True)
    draw = draw_of("occlusion")
    covers = []
    for strength in (0.1, 0.2, 0.5):
        moved = get("occlusion")(images, strength, draw).double() - images
        cover = (moved / (centre - images)).median(dim=1).values
        area = cover.sum((1, 2)) / (strength * SIDE) ** 2
        torch.testing.assert_close(area, torch.ones(4).double(), rtol=0, atol=1e-3)
        covers.append(cover)
    assert all((small <= big + 1e-4).all() for small, big in pairwise(covers))
    rows = covers[0].sum(2).argmax(1)
    assert len(set(rows.tolist())) > 1, "the place is drawn"
