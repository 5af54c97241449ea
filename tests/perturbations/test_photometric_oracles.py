"""Light and colour against scipy, scikit-image, Pillow and the physics in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.interpolate import BPoly
from skimage.color.colorconv import rgb_from_xyz
from torch import Tensor

from semaudit.perturbations import Draw, get

Scenes = Callable[..., Tensor]
SHAPE = (4, 3, 61, 83)
IDS = ["a", "b", "c", "d"]
DAYLIGHT = 6504


def draw_of(name: str) -> Draw:
    return Draw.of(3, name, IDS)


def close(result: Tensor, expected: np.ndarray, tolerance: float = 2e-6) -> None:
    np.testing.assert_allclose(result.numpy(), expected.clip(0, 1), atol=tolerance)


@pytest.mark.parametrize("strength", [0.1, 0.6, 0.95])
def test_vignette_is_the_fourth_power_of_the_cosine(strength: float, scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    y, x = np.mgrid[:61, :83] + 0.5
    radius = np.hypot(y - 30.5, x - 41.5) / np.hypot(30.5, 41.5)
    corner = np.arccos((1 - strength) ** 0.5)
    angle = np.arctan(radius * np.tan(corner))
    light = images.double().numpy() ** 2 * np.cos(angle) ** 4
    close(get("vignette")(images, strength, draw_of("light")), light**0.5)


def curve_of(draw: Draw, index: int, strength: float) -> BPoly:
    points = np.sort(draw.uniform(3, 1, 1)[index].flatten().double().numpy())
    points = 3 * points**2 - 2 * points**3
    straight = np.array([0.25, 0.5, 0.75])
    inner = straight + strength * (points - straight)
    return BPoly(np.array([0, *inner, 1])[:, None], [0, 1])


@pytest.mark.parametrize("strength", [0.1, 0.6, 1.0])
def test_tone_curve_is_the_bernstein_polynomial(strength: float, scenes: Scenes) -> None:
    images, draw = scenes(*SHAPE), draw_of("light")
    result = get("tone_curve")(images, strength, draw)
    for index, image in enumerate(images.double().numpy()):
        close(result[index], curve_of(draw, index, strength)(image))


@given(
    seed=st.integers(0, 2**31),
    strength=st.floats(0, 1, width=32),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_tone_curve_rises_from_black_to_white(
    seed: int, strength: float, dtype: torch.dtype
) -> None:
    ramp = torch.linspace(0, 1, 2001, dtype=dtype).expand(4, 3, 1, -1)
    result = get("tone_curve")(ramp, strength, Draw.of(seed, "light", IDS))
    assert result.diff().min() >= -4 * torch.finfo(dtype).eps
    assert (result[..., 0] == 0).all()
    assert (result[..., -1] == 1).all()
    assert torch.equal(result[:, :1].expand_as(result), result), "one curve for all channels"


def wyman(nanometres: np.ndarray) -> np.ndarray:
    """CIE 1931 colour matching functions, the fit of Wyman, Sloan and Shirley 2013: (3, n)."""

    def lobe(height: float, centre: float, below: float, above: float) -> np.ndarray:
        width = np.where(nanometres < centre, below, above)
        return np.asarray(height * np.exp(-0.5 * ((nanometres - centre) * width) ** 2))

    return np.stack(
        (
            lobe(0.362, 442.0, 0.0624, 0.0374)
            + lobe(1.056, 599.8, 0.0264, 0.0323)
            + lobe(-0.065, 501.1, 0.0490, 0.0382),
            lobe(0.821, 568.8, 0.0213, 0.0247) + lobe(0.286, 530.9, 0.0613, 0.0322),
            lobe(1.217, 437.0, 0.0845, 0.0278) + lobe(0.681, 459.0, 0.0385, 0.0725),
        )
    )


def black_body(kelvin: float) -> np.ndarray:
    """Linear sRGB, luminance 1, by Planck's law and scikit-image's matrix: (3,)."""
    nanometres = np.arange(360, 831, 1.0)
    radiance = nanometres**-5 / np.expm1(1.4388e7 / (nanometres * kelvin))
    xyz = wyman(nanometres) @ radiance
    return np.asarray(rgb_from_xyz @ (xyz / xyz[1]))


def gains_of(strength: float) -> tuple[Tensor, np.ndarray]:
    """The factors of the channels, (4, 3), read off a dim white that stays below 1; the signs."""
    draw, white = draw_of("light"), 0.1
    images = torch.full((4, 3, 8, 8), white, dtype=torch.float64)
    signs = draw.sign().flatten().numpy()
    assert {-1.0, 1.0} == set(signs.tolist()), "the ids must try both ways"
    return get("colour_temperature")(images, strength, draw)[..., 0, 0] / white, signs


@pytest.mark.parametrize("strength", [0.2, 0.7, 1.0, 1.7])
def test_colour_temperature_is_that_of_a_black_body(strength: float) -> None:
    gains, signs = gains_of(strength)
    light = black_body(DAYLIGHT / (1 + strength)) / black_body(DAYLIGHT)
    for found, sign in zip(gains.numpy(), signs, strict=True):
        expected = light ** (sign / 2.2)
        expected /= expected @ (0.299, 0.587, 0.114)
        np.testing.assert_allclose(found, expected, rtol=0.02)
        red, _, blue = found
        assert (red > 1 > blue) if sign > 0 else (red < 1 < blue)


def test_colour_temperature_scales_channels_and_keeps_the_luma_of_grey(scenes: Scenes) -> None:
    images = scenes(*SHAPE) * 0.5
    gains, _ = gains_of(0.5)
    result = get("colour_temperature")(images, 0.5, draw_of("light"))
    close(result, images.double().numpy() * gains.numpy()[:, :, None, None], 1e-6)
    luma = gains @ gains.new_tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(luma, torch.ones(4, dtype=torch.float64), rtol=0, atol=1e-6)


def weights_of(draw: Draw) -> np.ndarray:
    low, high = np.sort(draw.uniform(2, 1, 1)[..., 0, 0].double().numpy(), axis=1).T
    return np.stack((low, high - low, 1 - high), axis=1)


def test_grey_mix_blends_toward_the_mixture(scenes: Scenes) -> None:
    images, draw = scenes(*SHAPE), draw_of("light")
    pixels = images.double().numpy()
    grey = np.einsum("nc,nchw->nhw", weights_of(draw), pixels)[:, None]
    close(get("grey_mix")(images, 0.3, draw), 0.7 * pixels + 0.3 * grey)


def test_a_full_grey_mix_is_pillows_channel_mixer(scenes: Scenes) -> None:
    levels = (scenes(*SHAPE) * 255).round().to(torch.uint8)
    draw = draw_of("light")
    result = get("grey_mix")(levels.float() / 255, 1.0, draw)
    for image, mixed, weights in zip(levels, result, weights_of(draw), strict=True):
        colour = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = np.asarray(colour.convert("L", (*weights.tolist(), 0.0))) / 255.0
        close(mixed, np.broadcast_to(expected, (3, 61, 83)), 0.51 / 255)


def test_every_mixture_of_grey_is_as_likely() -> None:
    """A uniform point of the triangle has means 1/3, variances 1/18 and covariances -1/36."""
    weights = weights_of(Draw.of(0, "grey_mix", [str(index) for index in range(20_000)]))
    np.testing.assert_allclose(weights.mean(0), 1 / 3, atol=0.006)
    expected = np.full((3, 3), -1 / 36) + np.eye(3) / 12
    np.testing.assert_allclose(np.cov(weights.T), expected, atol=0.0015)


@pytest.mark.parametrize("name", ["colour_temperature", "grey_mix"])
def test_colour_needs_colour(name: str, scenes: Scenes) -> None:
    images = scenes(4, 1, 28, 28)
    assert torch.equal(get(name)(images, 0.3, draw_of(name)), images)


def test_grey_mix_leaves_grey_pictures_grey(scenes: Scenes) -> None:
    grey = scenes(4, 1, 28, 28).expand(-1, 3, -1, -1)
    torch.testing.assert_close(get("grey_mix")(grey, 0.3, draw_of("light")), grey)
