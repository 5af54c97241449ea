"""GMSD against the paper's formula in numpy and scipy, float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from semaudit.calibration import gmsd


def oracle(clean: np.ndarray, changed: np.ndarray) -> float:
    """Of (c, h, w) in [0, 1], on the paper's scale of 0 to 255."""

    def magnitude(image: np.ndarray) -> np.ndarray:
        weights = np.array([0.299, 0.587, 0.114]) if len(image) == 3 else np.ones(1)
        grey = np.tensordot(weights, image, 1) * 255
        halved = grey.reshape(grey.shape[0] // 2, 2, grey.shape[1] // 2, 2).mean((1, 3))
        # scipy's Prewitt is not divided by 3.
        across = ndimage.prewitt(halved, axis=1, mode="nearest") / 3
        down = ndimage.prewitt(halved, axis=0, mode="nearest") / 3
        return np.hypot(across, down)

    one, other = magnitude(clean), magnitude(changed)
    return float(((2 * one * other + 170) / (one**2 + other**2 + 170)).std())


@pytest.mark.parametrize("channels", [1, 3])
def test_against_the_formula(channels: int) -> None:
    generator = np.random.default_rng(1)
    clean = generator.random((4, channels, 32, 46))
    changed = (clean + generator.normal(0, 0.1, clean.shape)).clip(0, 1)
    expected = [oracle(one, other) for one, other in zip(clean, changed, strict=True)]
    found = gmsd(torch.from_numpy(clean), torch.from_numpy(changed))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_equal_pictures_are_at_zero_and_light_alone_hardly_counts() -> None:
    images = torch.rand(2, 3, 33, 47, generator=torch.Generator().manual_seed(0)) * 0.8
    assert gmsd(images, images).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert gmsd(images, images + 0.2).tolist() == pytest.approx([0, 0], abs=1e-6)
