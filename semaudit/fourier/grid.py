"""The frequencies of a heat map, and the waves that stand for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import UsageError
from semaudit.perturbations import Draw
from semaudit.perturbations.frequency import fourier_wave

Frequency = tuple[int, int]
"""Cycles over the height, and over the width, of a picture."""

RMS = 15.7 / 224


@dataclass(frozen=True)
class Waves:
    """A square grid of frequencies about zero, and how strong its waves are.

    A wave and its mirror (-i, -j) are the same: only the D = (side**2 + 1) / 2 of one half are
    measured.

    Attributes:
        side: frequencies along each axis, an odd number, so that zero is the centre.
        spacing: cycles per picture from one to the next.
        norm: L2 norm of the wave that is added to each channel, of h x w values. None: that of
            7 % of full scale, root mean square, at any size; it is the 15.7 that Yin et al. took
            at 224 x 224.
    """

    side: int = 15
    spacing: int = 1
    norm: float | None = None

    def __post_init__(self) -> None:
        if self.side < 1 or self.side % 2 == 0:
            raise UsageError(
                f"--grid {self.side} is wrong: an odd number of frequencies a side, as 15, has "
                "zero in its centre"
            )
        if self.spacing < 1:
            raise UsageError(f"--spacing {self.spacing} is wrong: at least 1 cycle per picture")
        if self.norm is not None and not 0 < self.norm < math.inf:
            raise UsageError(f"--norm {self.norm:g} is wrong: a finite number above 0")

    @property
    def axis(self) -> list[int]:
        """The frequencies along each axis, rising."""
        reach = self.side // 2
        return [step * self.spacing for step in range(-reach, reach + 1)]

    @property
    def half(self) -> list[Frequency]:
        """The D frequencies that are measured: zero, and one of every pair of mirrors."""
        return [(i, j) for i in self.axis for j in self.axis if (i, j) >= (0, 0)]

    def spanning(self, height: int, width: int) -> Waves:
        """The same number of waves, as far apart as brings the highest near half a cycle a pixel.

        Half a cycle a pixel of the shorter side: the highest frequency that pictures can show.
        """
        reach = self.side // 2
        widest = min(height, width) // 2 // reach if reach else 1
        return replace(self, spacing=max(1, widest))

    def rms(self, height: int, width: int) -> float:
        """Root mean square of a wave on such pictures, a fraction of full scale."""
        return RMS if self.norm is None else self.norm / math.sqrt(height * width)

    def check(self, height: int, width: int) -> None:
        """Make sure that pictures are large enough to show the waves.

        Raises:
            UsageError: a frequency is above half a cycle a pixel.
        """
        highest, side = self.axis[-1], min(height, width)
        if highest > side // 2:
            fitting = 2 * (side // 2 // self.spacing) + 1
            raise UsageError(
                f"the highest frequency, {highest} cycles per picture, is above half a cycle a "
                f"pixel of pictures of {height} x {width}; use --grid {fitting} at most"
                + (", or a smaller --spacing" if self.spacing > 1 else "")
            )

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lay D values out on the grid, (side, side); row i and column j rise with the axis."""
        whole = np.empty((self.side, self.side))
        reach = self.side // 2
        for (i, j), value in zip(self.half, values, strict=True):
            row, column = i // self.spacing, j // self.spacing
            whole[reach + row, reach + column] = whole[reach - row, reach - column] = value
        return whole


def stack(frequencies: Sequence[Frequency], images: Tensor) -> Tensor:
    """The waves of some frequencies on pictures like these, (d, 1, h, w), of RMS 1."""
    height, width = images.shape[-2:]
    return torch.stack([fourier_wave(height, width, i, j)[None] for i, j in frequencies]).to(images)


def signs(
    frequencies: Sequence[Frequency], image_ids: Sequence[str], images: Tensor, seed: int
) -> Tensor:
    """-1 or +1 for every frequency, picture and channel, even odds: (d, n, c, 1, 1).

    Drawn by frequency and picture, so that no other grid or batch changes them.
    """
    draws = (
        Draw.of(seed, f"fourier {i} {j}", image_ids, images.device).uniform(images.shape[1])
        for i, j in frequencies
    )
    # Exact: the draws are multiples of 2**-24.
    return torch.stack([(draw >= 0.5) * 2 - 1 for draw in draws])[..., None, None].to(images)
