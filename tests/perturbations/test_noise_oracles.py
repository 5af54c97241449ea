"""Noise against closed forms in float64, and its moments against theory over a million draws."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from semaudit.perturbations import Draw, get

Scenes = Callable[..., Tensor]
SHAPE = (4, 3, 97, 131)
MILLION = 2**20
ERROR = 4 / np.sqrt(MILLION)  # four standard errors of a mean of unit variance
LIGHTS = (0.25, 0.5, 0.75)  # four standard deviations of the noise below stay within [0, 1]


def draw() -> Draw:
    return Draw.of(3, "noise", ["a", "b", "c", "d"])


def close(result: Tensor, expected: np.ndarray, tolerance: float = 2e-6) -> None:
    np.testing.assert_allclose(result.numpy(), expected.clip(0, 1), rtol=0, atol=tolerance)


def change(name: str, light: float, strength: float, height: int = 2**10) -> np.ndarray:
    """What the noise adds to a million pixels of one light: (height, million / height) float64."""
    plain = torch.full((1, 1, height, MILLION // height), light, dtype=torch.float64)
    return (get(name)(plain, strength, Draw.of(0, name, ["a"])) - plain)[0, 0].numpy()


def assert_normal(values: np.ndarray, deviation: float) -> None:
    """Mean, variance, skewness and kurtosis within four standard errors."""
    assert abs(values.mean()) < ERROR * deviation
    assert abs(values.var() / deviation**2 - 1) < ERROR * np.sqrt(2)
    assert abs(stats.skew(values)) < ERROR * np.sqrt(6)
    assert abs(stats.kurtosis(values)) < ERROR * np.sqrt(24) + 1e-3  # the table ends at 4.33


def test_each_is_its_field_in_closed_form(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    pixels = images.double().numpy()
    grain = 0.03 * draw().normal(*SHAPE[1:]).double().numpy()
    rows = 0.03 * draw().normal(1, 97, 1).double().numpy()
    columns = 0.03 * draw().normal(1, 1, 131).double().numpy()
    expected = {
        "gaussian_noise": pixels + grain,
        "speckle_noise": pixels * (1 + grain),
        "shot_noise": pixels + grain * np.sqrt(pixels),
        "row_banding": pixels + rows,
        "column_banding": pixels + columns,
    }
    for name, result in expected.items():
        close(get(name)(images, 0.03, draw()), result)


@pytest.mark.parametrize("light", LIGHTS)
def test_moments_of_a_million_draws(light: float) -> None:
    assert_normal(change("gaussian_noise", light, 0.05).ravel(), 0.05)
    assert_normal(change("speckle_noise", light, 0.05).ravel(), 0.05 * light)
    assert_normal(change("shot_noise", light, 0.05).ravel(), 0.05 * np.sqrt(light))


@pytest.mark.parametrize("light", LIGHTS)
def test_shot_noise_has_the_moments_of_counted_photons(light: float) -> None:
    """Poisson(x N) / N with N = 1 / strength^2, as ImageNet-C defines it."""
    photons = 1 / 0.05**2
    counted = np.random.default_rng(0).poisson(light * photons, MILLION) / photons
    added = change("shot_noise", light, 0.05)
    deviation = np.sqrt(light / photons)
    assert abs(light + added.mean() - counted.mean()) < np.sqrt(2) * ERROR * deviation
    kurtosis = 3 + 1 / (light * photons)
    tolerance = ERROR * np.sqrt(2 + (kurtosis - 1))
    assert abs(added.var() / counted.var() - 1) < tolerance


def test_shot_noise_leaves_black_alone_with_a_bounded_gradient() -> None:
    dark = torch.tensor([0.0, 1e-9, 1e-5, 1e-4]).expand(1, 1, 64, 4).clone().requires_grad_()
    one = Draw.of(0, "p", ["a"])
    result = get("shot_noise")(dark, 0.05, one)
    assert not result[..., 0].any()
    (gradient,) = torch.autograd.grad(result.sum(), dark)
    assert gradient.abs().max() < 1 + 4.34 * 0.05 / np.sqrt(1e-4)


@pytest.mark.parametrize("strength", [0.01, 0.1, 0.5])
def test_impulse_noise_hits_its_share_half_white_half_black(strength: float) -> None:
    values = change("impulse_noise", 0.5, strength)
    for hit in (values == 0.5, values == -0.5):
        share = strength / 2
        assert abs(hit.mean() - share) < ERROR * np.sqrt(share * (1 - share))
    assert np.isin(values, (-0.5, 0.0, 0.5)).all()


def test_impulse_noise_hits_whole_pixels_that_stay_hit(scenes: Scenes) -> None:
    images = scenes(*SHAPE) * 0.8 + 0.1
    place = draw().uniform(1, 97, 131).double().numpy()
    hits = []
    for strength in (0.002, 0.03, 0.3):
        half = float(np.float32(strength)) / 2
        expected = np.where(place < half, 1.0, images.double().numpy())
        expected = np.where(1 - place <= half, 0.0, expected)
        result = get("impulse_noise")(images, strength, draw())
        close(result, expected, 0)
        hits.append((result != images).any(dim=1))
        assert torch.equal(hits[-1], (result != images).all(dim=1)), "all channels or none"
    assert all((fewer <= more).all() and fewer.sum() < more.sum() for fewer, more in pairwise(hits))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_impulse_noise_keeps_both_colours_in_any_precision(dtype: torch.dtype) -> None:
    """1 - strength / 2 is 1 in bfloat16: a threshold there would lose the pepper."""
    plain = torch.full((1, 3, 256, 256), 0.5, dtype=dtype)
    result = get("impulse_noise")(plain, 0.002, Draw.of(0, "p", ["a"]))
    assert 30 < (result[0, 0] == 0).sum() < 110
    assert 30 < (result[0, 0] == 1).sum() < 110


@pytest.mark.parametrize(("name", "axis"), [("row_banding", 1), ("column_banding", 0)])
def test_banding_is_one_normal_number_a_line(name: str, axis: int) -> None:
    lines = change(name, 0.5, 0.05, height=MILLION if axis == 1 else 1)
    assert_normal(lines.ravel(), 0.05)
    square = change(name, 0.5, 0.05)
    assert not np.ptp(square, axis=axis).any(), "a line is even"
    assert np.unique(square).size > 900, "and unlike the others"


@pytest.mark.parametrize("name", ["row_banding", "column_banding"])
def test_banding_is_grey(name: str) -> None:
    plain = torch.full((4, 3, 28, 31), 0.5)
    result = get(name)(plain, 0.03, draw())
    assert torch.equal(result, result[:, :1].expand(result.shape))


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "speckle_noise"])
def test_grain_is_independent_over_pixels_and_channels(name: str) -> None:
    plain = torch.full((2, 3, 512, 512), 0.5)
    field = (get(name)(plain, 0.05, Draw.of(0, name, ["a", "b"])) - plain).double()
    pairs = {
        "channels": (field[:, 0], field[:, 2]),
        "images": (field[0], field[1]),
        "across": (field[..., 1:], field[..., :-1]),
        "down": (field[..., 1:, :], field[..., :-1, :]),
    }
    for what, (one, other) in pairs.items():
        assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 5 / 512, what


def test_quantisation_is_exact(scenes: Scenes) -> None:
    images = scenes(*SHAPE)
    result = get("quantisation")(images, 0.125, draw())
    close(result, np.round(images.double().numpy() * 8) / 8, 0)
    assert len(result.unique()) <= 9


def test_quantisation_errs_by_a_twelfth_of_the_squared_step() -> None:
    """The variance of a rounding error, uniform over a step (Bennett 1948)."""
    values = Draw.of(0, "p", ["a"]).uniform(1, 2**10, 2**10).double() * 0.75 + 0.125
    error = get("quantisation")(values, 1 / 16, Draw.of(0, "p", ["a"])) - values
    assert error.abs().max() <= 1 / 32
    assert error.var().item() == pytest.approx(1 / (12 * 16**2), rel=4e-3)
