"""What the contract is checked on: made-up pictures of several sizes, depths and precisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from semaudit.layout import NOISE_FLOOR_FAMILY
from semaudit.perturbations import Draw, Perturbation, Strength

SIZES = {(28, 28): 20, (32, 32): 20, (97, 131): 9, (224, 224): 7}
"""Height and width of the pictures, and how many there are of them."""

DTYPES = (torch.float32, torch.bfloat16)
SEED = 7
EDGE = 4
"""Rows of black at the top and of white at the bottom: where formulas divide, or are clamped."""


@lru_cache(maxsize=32)
def _scenes(count: int, channels: int, height: int, width: int) -> Tensor:
    generator = np.random.default_rng(height * 1000 + width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    white = generator.normal(size=(count, channels, height, width))
    white += 2 * generator.normal(size=(count, 1, height, width))
    pink = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
    pink /= pink.std(axis=(1, 2, 3), keepdims=True)
    return torch.from_numpy(0.5 + 0.18 * pink).float().clamp(0, 1)


def scenes(count: int, channels: int, height: int, width: int) -> Tensor:
    """Return pictures (count, channels, height, width) in [0, 1], float32, the same every time.

    They have the spectrum of natural scenes, an amplitude that falls as 1 / frequency (Field 1987,
    "Relations between the statistics of natural images and the response properties of cortical
    cells"), which the channels share in part.
    """
    return _scenes(count, channels, height, width).clone()


@dataclass(frozen=True, eq=False)
class Case:
    """A perturbation on pictures of one shape and dtype.

    Attributes:
        perturbation: what is checked.
        ladder: rising strengths at which it is.
        shape: channels, height and width of the pictures.
        dtype: of the pictures.
        count: how many pictures a batch holds.
    """

    perturbation: Perturbation
    ladder: tuple[float, ...]
    shape: tuple[int, int, int]
    dtype: torch.dtype
    count: int

    def __str__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"pictures of {'x'.join(map(str, self.shape))}, {dtype}"

    @property
    def top(self) -> float:
        """The ladder's last strength."""
        return self.ladder[-1]

    @property
    def still(self) -> bool:
        """Whether it is the noise floor's, which changes nothing at any strength."""
        return self.perturbation.family == NOISE_FLOOR_FAMILY

    @property
    def resolution(self) -> float:
        """How far a value near 1 may be off for its dtype alone."""
        return torch.finfo(self.dtype).eps / 4

    def scenes(self, count: int | None = None) -> Tensor:
        """The first ``count`` pictures of the batch, or all; a fresh copy each time."""
        return scenes(self.count, *self.shape)[:count].to(self.dtype)

    def images(self, count: int | None = None) -> Tensor:
        """The same with a black and a white edge."""
        made = self.scenes(count)
        made[:, :, :EDGE], made[:, :, -EDGE:] = 0.0, 1.0
        return made

    def draw(self, *indices: int, count: int | None = None) -> Draw:
        """The draw of the pictures at ``indices``, or of the first ``count``, or of all."""
        chosen = indices or range(self.count if count is None else count)
        return Draw.of(SEED, self.perturbation.name, [f"{index}.png" for index in chosen])

    def raw(self, images: Tensor, strength: Strength, draw: Draw) -> Tensor:
        """What the author's own function returns, before the protocol checks and clamps it."""
        return self.perturbation.function(images, strength, draw)

    @cached_property
    def changed(self) -> Tensor:
        """The whole batch at the ladder's top, by the protocol; not to be written into."""
        return self.perturbation(self.images(), self.top, self.draw())

    def distance(self, strength: float, count: int = 4) -> float:
        """Root mean square of the change of the first pictures at a strength, their mean.

        They have no hard edges: those may suit one strength of a resampling better than another.
        """
        images = self.scenes(count)
        change = self.perturbation(images, strength, self.draw(count=len(images))) - images.double()
        return float(change.flatten(1).square().mean(1).sqrt().mean())


def cases_of(perturbation: Perturbation, ladder: tuple[float, ...]) -> list[Case]:
    """Return the cases that the perturbation is meant for, small pictures first.

    One that is meant only for pictures larger than all of ours is tried on its smallest.
    """
    depths = (1, 3) if perturbation.channels is None else (perturbation.channels,)
    side = perturbation.smallest_side
    sizes = {size: count for size, count in SIZES.items() if min(size) >= side}
    return [
        Case(perturbation, ladder, (channels, *size), dtype, count)
        for size, count in (sizes or {(side, side): 3}).items()
        for channels in depths
        for dtype in DTYPES
    ]


Function = Callable[[Case], str | None]
"""Looks at one case and says what is wrong, or None."""
