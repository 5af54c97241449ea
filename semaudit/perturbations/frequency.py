"""Noise of one spatial frequency or one band of them, at a stated energy.

Which frequencies a classifier leans on, people cannot see: they read a picture through any of these
fields alike. Every field is grey, one plane added alike to all channels, so that it means the same
for pictures of 1 and of 3 channels and changes the light, not the colours. A field has RMS 1
exactly, whatever its band, so the strength is the RMS of the change before it is clamped.

A frequency is (i, j): i cycles over the height and j over the width. Its radius is a fraction of
the Nyquist frequency, half a cycle a pixel: r = 2 * sqrt((i / height)**2 + (j / width)**2).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.noise import add_field
from semaudit.perturbations.pixels import double, per_image
from semaudit.perturbations.registry import Strength, perturbation

LOW_BAND = (0.0, 0.125)
MID_BAND = (0.125, 0.5)
HIGH_BAND = (0.5, 1.0)
"""Radii from the first number to just below the second; (0, 0) is in none. Nor are the slanted
frequencies beyond radius 1, the corners of the spectrum."""

_SMALLEST_SIDE = 17  # below it, the low band holds no frequency
_GRAIN = 2.0**14


@perturbation(family="frequency", smallest_side=_SMALLEST_SIDE)
def low_band_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add soft clouds of light and dark: grey noise below 1/8 of the Nyquist frequency.

    x + strength * field; the field is normal noise whose spectrum is flat at radii in (0, 1/8) of
    the Nyquist frequency and 0 elsewhere. Its RMS is exactly 1, so the strength is the RMS, a
    fraction of full scale, the same as that of the mid and the high band.
    """
    return _add_band(images, strength, draw, LOW_BAND)


@perturbation(family="frequency", smallest_side=_SMALLEST_SIDE)
def mid_band_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add a coarse grey grain: noise between 1/8 and 1/2 of the Nyquist frequency.

    x + strength * field; the field is normal noise whose spectrum is flat at radii in [1/8, 1/2) of
    the Nyquist frequency and 0 elsewhere. Its RMS is exactly 1, so the strength is the RMS, a
    fraction of full scale, the same as that of the low and the high band.
    """
    return _add_band(images, strength, draw, MID_BAND)


@perturbation(family="frequency", smallest_side=_SMALLEST_SIDE)
def high_band_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add a fine grey grain: noise between 1/2 and 1 of the Nyquist frequency.

    x + strength * field; the field is normal noise whose spectrum is flat at radii in [1/2, 1) of
    the Nyquist frequency and 0 elsewhere. Its RMS is exactly 1, so the strength is the RMS, a
    fraction of full scale, the same as that of the low and the mid band.
    """
    return _add_band(images, strength, draw, HIGH_BAND)


@perturbation(family="frequency", smallest_side=2)
def fourier_basis(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add one faint, even wave of stripes, of a drawn direction and fineness.

    x + strength * r * wave(i, j), after Yin et al. 2019 ("A Fourier Perspective on Model Robustness
    in Computer Vision"): (i, j) is drawn evenly from all frequencies but (0, 0), r is -1 or +1,
    drawn for each channel, and the wave is their U(i, j) of L2 norm 1 times sqrt(height * width),
    so that the strength is its RMS, a fraction of full scale.
    """
    height, width = images.shape[2:]
    others = height * width - 1
    # In integers: rounding up in float32 could reach past the last frequency.
    flat = (draw.uniform(1) * 2**24).long() * others // 2**24 + 1
    wave = draw.derived(
        "wave", lambda: _waves(height, width, flat // width, flat % width), 1, height, width
    )
    sign = torch.where(draw.uniform(images.shape[1], 1, 1, stream=1) < 0.5, -1.0, 1.0)
    return add_field(images, wave, sign * per_image(strength, images))


def fourier_wave(height: int, width: int, i: int, j: int) -> Tensor:
    """Return the real Fourier basis image of frequency (i, j): (height, width) float32, RMS 1.

    Yin et al. 2019 define U(i, j) as the real matrix of L2 norm 1 whose discrete Fourier transform
    is zero but at (i, j) and its mirror (-i, -j). Made as the unitary inverse transform of ones at
    those two, it is a cosine with its crest on the first pixel; this is U * sqrt(height * width):

        sqrt(2) * cos(2 pi (i y / height + j x / width)),

    or the cosine alone, which is -1 and +1, where (i, j) is its own mirror: i in {0, height / 2}
    and j in {0, width / 2}. Frequencies are read modulo the size, so that -1 means height - 1, and
    (0, 0) is plain 1. U and -U are the same direction: the sign is the caller's.

    Raises:
        ValueError: a side below 1.
    """
    if min(height, width) < 1:
        raise ValueError(f"a Fourier wave needs sides of at least 1 pixel, not {height} x {width}")
    return _waves(height, width, torch.tensor([[i]]), torch.tensor([[j]]))[0, 0]


def _waves(height: int, width: int, i: Tensor, j: Tensor) -> Tensor:
    """The waves of frequencies i and j, (n, 1) integers each: (n, 1, height, width) float32.

    cos(a + b) out of a table a side: exact lookups, and products that round alike everywhere.
    """
    (down_cos, down_sin), (across_cos, across_sin) = (
        _turns(size, str(i.device))[:, (steps * torch.arange(size, device=i.device)) % size]
        for size, steps in ((height, i), (width, j))
    )
    own_mirror = (2 * i % height == 0) & (2 * j % width == 0)
    peak = torch.where(own_mirror, 1.0, math.sqrt(2))
    cosine = (down_cos * peak)[:, None, :, None] * across_cos[:, None, None, :]
    sine = (down_sin * peak)[:, None, :, None] * across_sin[:, None, None, :]
    waves: Tensor = cosine - sine
    return waves


@lru_cache(maxsize=16)
def _turns(size: int, device: str) -> Tensor:
    """Cosines and sines of the multiples of 1 / size of a turn: (2, size) float32."""
    angles = np.arange(size) * (2 * np.pi / size)
    table = np.stack((np.cos(angles), np.sin(angles))).astype(np.float32)
    return torch.from_numpy(table).to(device)


def _add_band(images: Tensor, strength: Strength, draw: Draw, band: tuple[float, float]) -> Tensor:
    height, width = images.shape[2:]
    field = draw.derived("band", lambda: _band_field(draw, height, width, band), 1, height, width)
    return add_field(images, field, strength)


def _band_field(draw: Draw, height: int, width: int, band: tuple[float, float]) -> Tensor:
    """Normal noise of the band with RMS 1, (n, 1, height, width) float32; 0 if the band is empty.

    The last bits of an FFT depend on the batch that it is done in, so it is done in float64 and
    rounded to multiples of 2**-14: at 224 x 224 those bits, about 3e-16, decide a rounding of one
    picture in four million. The energy is a sum of squared integers, the same in any order.
    """
    places, mirrors = _band_places(height, width, band)
    numbers = (double(draw.normal(2, len(places))) * _GRAIN).round()
    places, mirrors = places.to(numbers.device), mirrors.to(numbers.device)
    energy = 2 * numbers.square().sum((1, 2), keepdim=True)
    half = numbers / energy.clamp(min=1).sqrt()
    spectrum = half.new_zeros(2, len(half), height * (width // 2 + 1))
    spectrum.index_copy_(2, places, half.movedim(1, 0))
    # In the first column irfft does not imply the mirrored frequency; it must be there.
    inside = mirrors >= 0
    conjugate = torch.stack((half[:, 0, inside], -half[:, 1, inside]))
    spectrum.index_copy_(2, mirrors[inside], conjugate)
    planes = torch.complex(spectrum[0], spectrum[1]).view(-1, 1, height, width // 2 + 1)
    field: Tensor = torch.fft.irfft2(planes, s=(height, width), norm="forward")
    field.mul_(_GRAIN).round_().div_(_GRAIN)
    return field.float().to(draw.keys.device)


@lru_cache(maxsize=32)
def _band_places(height: int, width: int, band: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Where the band's frequencies stand in a flat spectrum of (height, width // 2 + 1).

    One of each mirrored pair: the first result. The second, as long, is where its mirror must be
    written too, or -1.
    """
    i = np.minimum(np.arange(height), height - np.arange(height))[:, None]
    columns = width // 2 + 1
    j = np.arange(columns)[None]
    # Compared in integers times a power of two: what lies on a border lies there on any machine.
    square = 4 * ((i * width) ** 2 + (j * height) ** 2)
    low, high = ((radius * height * width) ** 2 for radius in band)
    first_of_pair = (j > 0) | (2 * np.arange(height)[:, None] < height)
    rows, across = np.nonzero((square >= low) & (square < high) & (square > 0) & first_of_pair)
    places = rows * columns + across
    mirrors = np.where(across == 0, (height - rows) * columns, -1)
    return torch.from_numpy(places), torch.from_numpy(mirrors)
