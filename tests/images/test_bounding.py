"""Strips: resizing the kept part alone gives what resizing the whole gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from PIL import Image
from timm.data import create_transform

from semaudit.images.decoding import bounding
from semaudit.images.decoding.bounding import bounded
from semaudit.models.preprocessing import Preprocessing

SIZES = [(400, 20), (20, 400), (331, 7), (1, 90), (90, 1), (64, 64), (57, 123), (1, 1)]
INPUTS = [(3, 32, 32), (3, 33, 33), (3, 24, 40), (3, 41, 24)]


def settings(size, crop_pct=0.875, mode="center", interpolation="bicubic") -> Preprocessing:
    half = (0.5,) * size[0]
    return Preprocessing(size, half, half, crop_pct, mode, interpolation)


def transform_of(preprocessing: Preprocessing):
    return create_transform(
        preprocessing.input_size,
        is_training=False,
        normalize=False,
        mean=preprocessing.mean,
        crop_pct=preprocessing.crop_pct,
        crop_mode=preprocessing.crop_mode,
        interpolation=preprocessing.interpolation,
    )


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    # Short of black and white: Pillow clips between its two passes, whose order it chooses.
    pixels = np.random.default_rng(0).integers(80, 176, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "lanczos"])
@pytest.mark.parametrize("crop_pct", [1.0, 0.9, 0.5])
def test_the_input_is_the_same(
    interpolation: str, crop_pct: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounding, "_MOST_PIXELS", 0)  # every picture is too large
    for size, target in product(SIZES, INPUTS):
        preprocessing = settings(target, crop_pct, interpolation=interpolation)
        transform, picture = transform_of(preprocessing), noise(size)
        whole, part = (
            np.asarray(transform(each)).astype(int)
            for each in (picture, bounded(picture, preprocessing))
        )
        assert whole.shape == part.shape == target
        if interpolation == "nearest":  # a rounded position takes the neighbour
            assert (whole != part).mean() < 0.1, (size, target)
        else:
            assert np.abs(whole - part).max() <= 2, (size, target)


@pytest.mark.parametrize("size", [(20_000, 20), (20, 20_000), (20_000, 1), (1, 20_000)])
@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("channels", [1, 3])
def test_strips_take_little_memory(size: tuple[int, int], mode: str, channels: int) -> None:
    preprocessing = settings((channels, 224, 224), mode=mode)
    part = bounded(noise(size, "L" if channels == 1 else "RGB"), preprocessing)
    assert part.width * part.height <= 20_000 * 256
    assert transform_of(preprocessing)(part).shape == (channels, 224, 224)


def test_a_gradient_along_a_strip_shows_its_middle() -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 20_000), (4, 1)).astype(np.uint8))
    part = bounded(ramp, settings((1, 224, 224)))
    assert set(np.unique(transform_of(settings((1, 224, 224)))(part)).tolist()) <= {126, 127, 128}


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(500, 375), (4000, 20), (30, 2000), (5000, 5000)])
def test_others_are_left_alone(mode: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)
    assert bounded(picture, settings((3, 224, 224), mode=mode)) is picture
