"""Pictures with the spectrum of natural scenes, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

Scenes = Callable[..., Tensor]


@lru_cache(maxsize=32)
def _scenes(count: int, channels: int, height: int, width: int) -> Tensor:
    """Amplitude falling as 1 / frequency (Field 1987), shared in part by the channels."""
    generator = np.random.default_rng(height * 1000 + width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    white = generator.normal(size=(count, channels, height, width))
    white += 2 * generator.normal(size=(count, 1, height, width))
    pink = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
    pink /= pink.std(axis=(1, 2, 3), keepdims=True)
    return torch.from_numpy(0.5 + 0.18 * pink).float().clamp(0, 1)


@pytest.fixture
def scenes() -> Scenes:
    """Return make(count, channels, height, width) -> images in [0, 1], a fresh copy each time."""
    return lambda *shape: _scenes(*shape).clone()
