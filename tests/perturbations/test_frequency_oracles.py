"""Band noise and Fourier waves against numpy's transforms in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from semaudit.perturbations import Draw, frequency, get

Scenes = Callable[..., Tensor]
BANDS = {
    "low_band_noise": (0, 1 / 8),
    "mid_band_noise": (1 / 8, 1 / 2),
    "high_band_noise": (1 / 2, 1),
}
SIZES = [(28, 28), (32, 32), (97, 131), (64, 49), (224, 224)]

each_band = pytest.mark.parametrize("name", BANDS)
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


def draw_of(name: str, count: int) -> Draw:
    return Draw.of(5, name, [str(index) for index in range(count)])


def radii(height: int, width: int) -> np.ndarray:
    """Each frequency's fraction of the Nyquist frequency, in numpy's order of a full transform."""
    return 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])


def fields(name: str, count: int, height: int, width: int, strength: float = 0.02) -> np.ndarray:
    """What the perturbation adds to plain grey at strength 1, (count, height, width) float64."""
    plain = torch.full((count, 1, height, width), 0.5, dtype=torch.float64)
    moved = get(name)(plain, strength, draw_of(name, count)) - plain
    return moved[:, 0].numpy() / float(np.float32(strength))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@each_band
@each_size
def test_the_energy_is_in_the_band_and_its_rms_is_1(name: str, size: tuple[int, int]) -> None:
    field = fields(name, 3, *size)
    np.testing.assert_allclose(np.sqrt((field**2).mean((1, 2))), 1, rtol=2e-6)
    power = np.abs(np.fft.fft2(field, norm="forward")) ** 2
    low, high = BANDS[name]
    inside = (radii(*size) >= low - 1e-12) & (radii(*size) < high - 1e-12)
    assert (power[:, ~inside].sum(1) < 1e-8).all()  # what rounding to 2**-14 spreads
    inside[0, 0] = False
    np.testing.assert_allclose(power[:, inside].sum(1), 1, rtol=5e-6)


def test_the_bands_do_not_overlap_and_have_equal_energy() -> None:
    noise = np.stack([fields(name, 2, 224, 224) for name in BANDS])
    overlap = np.einsum("bnyx,cnyx->nbc", noise, noise) / 224**2
    np.testing.assert_allclose(overlap, np.broadcast_to(np.eye(3), overlap.shape), atol=1e-4)


@each_band
def test_the_field_is_the_sum_of_its_waves(name: str) -> None:
    """Wave by wave in float64, from the same normal numbers."""
    height, width, (low, high) = 28, 31, BANDS[name]
    y, x = np.mgrid[:height, :width]
    waves = []
    for i in range(height):
        for j in range(width // 2 + 1):
            radius = 2 * np.hypot(min(i, height - i) / height, j / width)
            second_of_pair = j == 0 and 2 * i >= height
            if low <= radius < high and radius > 0 and not second_of_pair:
                waves.append(2 * np.pi * (i * y / height + j * x / width))
    numbers = draw_of(name, 2).normal(2, len(waves)).double().numpy()
    for field, (real, imaginary) in zip(fields(name, 2, height, width), numbers, strict=True):
        expected = sum(
            a * np.cos(wave) - b * np.sin(wave)
            for a, b, wave in zip(real, imaginary, waves, strict=True)
        )
        expected /= np.sqrt((expected**2).mean())
        np.testing.assert_allclose(field, expected, atol=3e-4)  # 2**-14, and z rounded to it


@each_band
def test_the_spectrum_is_flat_and_its_phases_are_even(name: str) -> None:
    count, size = 600, 28
    low, high = BANDS[name]
    inside = (radii(size, size) >= low) & (radii(size, size) < high)
    inside[0, 0] = False
    spectra = np.fft.fft2(fields(name, count, size, size), norm="forward")[:, inside]
    power = (np.abs(spectra) ** 2).mean(0) * inside.sum()
    # Of one frequency the power is exponential: a mean of 600 has a standard error of 1 / 24.5.
    assert np.abs(power - 1).max() < 5 / np.sqrt(count)
    phases = np.angle(spectra[:, : inside.sum() // 2]).ravel()
    assert stats.kstest(phases, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.001


@pytest.mark.parametrize("name", ["mid_band_noise", "high_band_noise"])
def test_the_values_are_normal(name: str) -> None:
    # Far apart, so that the band leaves them all but independent.
    values = fields(name, 64, 224, 224)[:, ::16, ::16].ravel()
    assert stats.kstest(values, "norm").pvalue > 0.001


@each_band
def test_noise_of_different_images_is_independent(name: str) -> None:
    field = fields(name, 40, 32, 32).reshape(40, -1)
    frequencies = len(frequency._band_places(32, 32, BANDS[name])[0])
    apart = np.corrcoef(field)[np.triu_indices(40, 1)]
    assert np.abs(apart).max() < 1 - 1e-3
    assert (apart**2).mean() * 2 * frequencies == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("name", [*BANDS, "fourier_basis"])
def test_the_strength_scales_one_field(name: str, scenes: Scenes) -> None:
    faint, strong = (fields(name, 2, 28, 31, strength) for strength in (0.01, 0.04))
    np.testing.assert_allclose(faint, strong, atol=1e-6)
    images = scenes(4, 3, 28, 31).double() * 0.6 + 0.2
    added = get(name)(images, 0.02, draw_of(name, 4)) - images
    size = added.square().mean((2, 3)).sqrt()
    torch.testing.assert_close(size, torch.full_like(size, 0.02), rtol=2e-6, atol=0)
    if name in BANDS:
        np.testing.assert_allclose(added, added[:, :1].expand(added.shape), atol=1e-12)


@each_band
@each_size
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_bits_do_not_depend_on_how_the_transform_is_done(
    name: str, size: tuple[int, int], dtype: torch.dtype, scenes: Scenes
) -> None:
    images = scenes(24, 1, *size).to(dtype)
    whole = get(name)(images, 0.03, draw_of(name, 24))
    for start, count in ((0, 1), (23, 1), (2, 2), (4, 3), (5, 8), (0, 17)):
        rows = torch.arange(start, start + count)
        part = Draw(draw_of(name, 24).keys[rows])
        assert torch.equal(get(name)(images[rows], 0.03, part), whole[rows])
    with threads(2):
        assert torch.equal(get(name)(images, 0.03, draw_of(name, 24)), whole)


def test_pictures_too_small_for_a_band_are_left_alone() -> None:
    assert get("low_band_noise").smallest_side == 17
    assert fields("low_band_noise", 1, 17, 17).any()
    assert not fields("low_band_noise", 1, 16, 16).any()
    assert not fields("low_band_noise", 1, 1, 1).any()


def waves(height: int, width: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(height) for j in range(width)]


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (1, 4), (9, 2)], ids=str)
def test_a_wave_is_the_inverse_transform_of_a_symmetric_pair(size: tuple[int, int]) -> None:
    height, width = size
    for i, j in waves(height, width):
        pair = np.zeros(size)
        pair[i, j] = pair[-i % height, -j % width] = 1
        image = np.fft.ifft2(pair, norm="ortho")
        assert np.abs(image.imag).max() < 1e-12
        unit = image.real / np.linalg.norm(image.real)
        wave = frequency.fourier_wave(height, width, i, j)
        assert (wave.shape, wave.dtype) == (size, torch.float32)
        np.testing.assert_allclose(wave, unit * np.sqrt(height * width), atol=1e-6)
        assert torch.equal(wave, frequency.fourier_wave(height, width, i - height, j + width))
        torch.testing.assert_close(wave, frequency.fourier_wave(height, width, -i, -j))


@pytest.mark.parametrize(("i", "j"), [(0, 0), (0, 1), (112, 0), (112, 112), (111, 5), (-3, 100)])
def test_a_large_wave_is_one_pair_of_frequencies_of_rms_1(i: int, j: int) -> None:
    wave = frequency.fourier_wave(224, 224, i, j).double().numpy()
    assert np.sqrt((wave**2).mean()) == pytest.approx(1, rel=1e-6)
    power = np.abs(np.fft.fft2(wave, norm="forward")) ** 2
    assert power[i, j] == pytest.approx(power[-i, -j], rel=1e-6)
    assert (power[i, j] if (2 * i % 224, 2 * j % 224) == (0, 0) else 2 * power[i, j]) > 1 - 1e-6


def test_a_wave_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0 x 4"):
        frequency.fourier_wave(0, 4, 0, 0)


@each_size
def test_fourier_basis_adds_one_wave_with_a_sign_for_each_channel(size: tuple[int, int]) -> None:
    plain = torch.full((6, 3, *size), 0.5, dtype=torch.float64)
    added = (get("fourier_basis")(plain, 0.02, draw_of("fourier_basis", 6)) - plain) / 0.02
    for image in added.numpy():
        power = np.abs(np.fft.fft2(image[0], norm="forward")) ** 2
        i, j = np.unravel_index(power.argmax(), size)
        assert (i, j) != (0, 0)
        wave = frequency.fourier_wave(*size, int(i), int(j)).numpy()
        for channel in image:
            np.testing.assert_allclose(np.sign(channel[0, 0]) * channel, wave, atol=5e-6)


def test_fourier_basis_draws_frequencies_and_signs_evenly() -> None:
    """Of 4 x 5 only (0, 0) is its own mirror in j > 0 or not: 19 frequencies, 10 patterns."""
    count, size = 20_000, (4, 5)
    plain = torch.full((count, 3, *size), 0.5)
    added = get("fourier_basis")(plain, 0.02, draw_of("fourier_basis", count)) - 0.5
    signs = added[..., 0, 0].sign()
    assert signs.mean(0).abs().max() < 5 / np.sqrt(count)
    assert abs((signs[:, 0] * signs[:, 1]).mean()) < 5 / np.sqrt(count)
    power = np.abs(np.fft.fft2(added[:, 0].double().numpy())) ** 2
    found = power.reshape(count, -1).argmax(1)
    i, j = np.divmod(found, 5)
    first = np.minimum(found, (-i % 4) * 5 + -j % 5)
    patterns, counts = np.unique(first, return_counts=True)
    assert len(patterns) == 10
    assert 0 not in patterns
    expected = np.where(patterns == 10, 1, 2) / 19 * count  # (2, 0) is its own mirror
    assert stats.chisquare(counts, expected).pvalue > 0.001


@pytest.mark.gpu
@pytest.mark.parametrize("name", [*BANDS, "fourier_basis"])
@each_size
def test_a_gpu_adds_the_same_bits(name: str, size: tuple[int, int], scenes: Scenes) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    images = scenes(8, 3, *size)
    there = Draw.of(5, name, [str(index) for index in range(8)], "cuda")
    result = get(name)(images.cuda(), 0.03, there)
    assert torch.equal(result.cpu(), get(name)(images, 0.03, draw_of(name, 8)))
