"""Oracle: scikit-image, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_models import rng, view
from skimage.metrics import structural_similarity
from torch import Tensor

from semaudit.metrics import Rung
from semaudit.metrics.inputs import ssim

SIZES = [(7, 7), (8, 11), (32, 32), (7, 40), (33, 26)]


def pair(n: int, channels: int, size: tuple[int, int], noise: float, seed: int) -> Tensor:
    x = torch.rand((n, channels, *size), generator=rng(seed))
    y = x + noise * torch.randn(x.shape, generator=rng(seed + 1))
    return torch.stack([x, y.clamp(0, 1)])


def measured(x: Tensor, y: Tensor) -> np.ndarray:
    logits = torch.zeros(len(x), 2)
    return ssim(Rung(view(logits, x), view(logits, y))).numpy()


def oracle(x: Tensor, y: Tensor) -> list[float]:
    return [
        structural_similarity(
            a.double().numpy(), b.double().numpy(), win_size=7, data_range=1, channel_axis=0
        )
        for a, b in zip(x, y, strict=True)
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_ssim_is_scikit_images(channels: int, size: tuple[int, int], noise: float) -> None:
    x, y = pair(4, channels, size, noise, seed=sum(size))
    got = measured(x, y)
    np.testing.assert_allclose(got, oracle(x, y), atol=2e-5)
    exact = measured(x.double(), y.double())
    np.testing.assert_allclose(exact, oracle(x, y), atol=1e-12)


def test_smooth_and_inverted_pictures_are_scikit_images_too() -> None:
    ramp = torch.linspace(0, 1, 24).expand(1, 1, 24, 24)
    for other in (1 - ramp, ramp.transpose(2, 3), ramp**2, torch.full_like(ramp, 0.5)):
        other = other.contiguous()
        got = measured(ramp, other)
        np.testing.assert_allclose(got, oracle(ramp, other), atol=1e-4)


def test_equal_pictures_have_one() -> None:
    x, _ = pair(3, 3, (16, 16), 0.1, seed=5)
    for images in (x, torch.zeros_like(x), torch.ones_like(x)):
        got = measured(images, images)
        np.testing.assert_allclose(got, 1, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 5), (6, 20)])
def test_pictures_smaller_than_the_window_have_a_smaller_window(size: tuple[int, int]) -> None:
    x, y = pair(3, 3, size, 0.2, seed=7).double()
    got = measured(x, y)
    rows, columns = min(7, size[0]), min(7, size[1])
    count = rows * columns
    expected = []
    for a, b in zip(x.numpy(), y.numpy(), strict=True):
        windows = [
            (p[i : i + rows, j : j + columns].ravel(), q[i : i + rows, j : j + columns].ravel())
            for p, q in zip(a, b, strict=True)
            for i in range(size[0] - rows + 1)
            for j in range(size[1] - columns + 1)
        ]
        expected.append(np.mean([one_window(u, v, min(1, count - 1)) for u, v in windows]))
    np.testing.assert_allclose(got, expected, atol=1e-12)
    np.testing.assert_allclose(measured(x, x), 1, atol=1e-12)


def one_window(u: np.ndarray, v: np.ndarray, ddof: int) -> float:
    c1, c2 = 1e-4, 9e-4
    (vu, cov), (_, vv) = np.cov(u, v, ddof=ddof) if len(u) > 1 else np.zeros((2, 2))
    luminance = (2 * u.mean() * v.mean() + c1) / (u.mean() ** 2 + v.mean() ** 2 + c1)
    return luminance * (2 * cov + c2) / (vu + vv + c2)


def test_a_picture_does_not_depend_on_its_batch() -> None:
    x, y = pair(5, 3, (20, 20), 0.1, seed=11)
    together = measured(x, y)
    alone = [measured(a, b) for a, b in zip(x.split(1), y.split(1), strict=True)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)
