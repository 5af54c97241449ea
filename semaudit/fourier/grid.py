"""The frequencies of a heat map, and the waves that stand for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

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

    A wave and its mirror (-i, -j) are the same, and frequencies count modulo the size of the
    pictures, so that at half a cycle a pixel, i = height / 2, the waves of i and -i are the same
    too. Only the D that differ are measured, each once.

    Attributes:
        side: frequencies along each axis, an odd number, so that zero is the centre.
        spacing: cycles per picture from one to the next; where it is no whole number, the
            frequencies are rounded to whole ones, halves up.
        norm: L2 norm of the wave that is added to each channel, of h x w values. None: that of
            7 % of full scale, root mean square, at any size; it is the 15.7 that Yin et al. took
            at 224 x 224.
    """

    side: int = 15
    spacing: int | Fraction = 1
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
        """The frequencies along each axis, rising, as many and as high below zero as above."""
        above = [
            math.floor(step * self.spacing + Fraction(1, 2))
            for step in range(1, self.side // 2 + 1)
        ]
        return [*(-each for each in reversed(above)), 0, *above]

    def measured(self, height: int, width: int) -> list[Frequency]:
        """The D frequencies that are measured on such pictures: one of all that are one wave."""
        found = {canonical((i, j), height, width) for i in self.axis for j in self.axis}
        return sorted(found)

    def spanning(self, height: int, width: int) -> Waves:
        """The same number of waves, as far apart as brings the highest to half a cycle a pixel.

        That of the shorter side, min(height, width) // 2 cycles, is the highest frequency that
        pictures can show. With more waves than frequencies up to there they are 1 cycle apart, and
        reach beyond it, which `check` refuses.
        """
        reach = self.side // 2
        widest = Fraction(min(height, width) // 2, reach) if reach else Fraction(1)
        return replace(self, spacing=max(Fraction(1), widest))

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
            fitting = 2 * int(side // 2 // self.spacing) + 1
            raise UsageError(
                f"the highest frequency, {highest} cycles per picture, is above half a cycle a "
                f"pixel of pictures of {height} x {width}; use --grid {fitting} at most"
                + (", or a smaller --spacing" if self.spacing > 1 else "")
            )

    def spread(self, values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
        """Lay D values out on the grid, (side, side); row i and column j rise with the axis."""
        found = dict(zip(self.measured(height, width), values.tolist(), strict=True))
        return np.array(
            [[found[canonical((i, j), height, width)] for j in self.axis] for i in self.axis]
        )


def canonical(frequency: Frequency, height: int, width: int) -> Frequency:
    """The one of all frequencies of the same wave on such pictures that stands for them.

    Counted modulo the size, into (-size / 2, size / 2]; of it and its mirror the greater.
    """
    i, j = frequency
    return max(
        (_folded(i, height), _folded(j, width)),
        (_folded(-i, height), _folded(-j, width)),
    )


def _folded(cycles: int, size: int) -> int:
    rest = cycles % size
    return rest if 2 * rest <= size else rest - size


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
