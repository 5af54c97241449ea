"""Light weather: what the air between the camera and the scene does on a misty or a sunny day."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import double, is_colour, luma, per_image
from semaudit.perturbations.registry import Strength, perturbation

_AIRLIGHT = (0.8, 1.0)  # a grey to a white sky
_SUNLIGHT = torch.tensor([1.0, 0.8, 0.55]).view(1, 3, 1, 1)  # the hour before sunset
_GLOW = 0.5  # of the shorter side: where the glow has fallen to a half


@perturbation(family="weather", max_strength=0.8)
def haze(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Veil the scene in light haze, thicker where it is farther away.

    Koschmieder's law (1924): x * t + a * (1 - t), t = (1 - strength)**depth. The airlight a is a
    drawn grey in [0.8, 1), alike in all channels. The depth, in [0, 2] with mean 1, is 1 + f(y) +
    g(x), f and g drawn mixtures of the first two cosines, half a wave and a whole one over the
    side; f's half wave always makes the top the farther end. The strength is the share of contrast
    that is lost at the mean depth.
    """
    height, width = images.shape[2:]
    low, high = _AIRLIGHT
    airlight = low + (high - low) * draw.uniform(1, 1, 1, stream=1)
    down, across = _depth(double(draw.uniform(4, 1, 1)), height, width)
    decay = torch.log1p(-double(per_image(strength, images)))
    # A power of a sum is a product of powers: no pixel needs an exponential of its own.
    clear = (decay * down).exp().to(airlight) * (decay * across).exp().to(airlight)
    # In place: at this size, memory for a result costs more than the arithmetic.
    return (images - airlight).mul_(clear).add_(airlight).to(images)


@perturbation(family="weather")
def low_sun(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Let a low sun shine in from one side: a warm glow that fades away from it.

    x + (1 - x) * strength * colour * glow, glow = 1 / (1 + (d / 0.5)**2), d the distance from the
    sun in units of the shorter side: stray light in a lens or an eye falls with the square of the
    angle (Stiles-Holladay; Vos 1984). The sun stands on the left or the right border, drawn, at a
    drawn height in the upper half. The colour is (1, 0.8, 0.55), or its luma where there are not
    three channels. The strength is the share of the way to white at the sun, in red.
    """
    height, width = images.shape[2:]
    glow = draw.derived("glow", lambda: _glow(draw, height, width), 1, height, width)
    colour = _SUNLIGHT if is_colour(images) else luma(_SUNLIGHT)
    share = colour.to(glow) * per_image(strength, images)
    return (share * glow).mul_(1 - images).add_(images).to(images)


def _glow(draw: Draw, height: int, width: int) -> Tensor:
    """The glow of a sun on one border, 1 at the sun: (n, 1, height, width) float32."""
    side = min(height, width)
    top = draw.uniform(1, 1, 1) * (height / 2 / side)
    y, x = (_centres(size, side).to(top) for size in (height, width))
    away = torch.where(draw.sign() > 0, x, x.flip(-1))
    return 1 / (1 + ((y - top) / _GLOW).square().mT + (away / _GLOW).square())


def _depth(numbers: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The depth's parts down (n, 1, h, 1) and across (n, 1, 1, w), out of (n, 4, 1, 1) uniforms.

    Their sum is in [0, 2], for the sizes of the four weights sum to 1, and its mean is 1.
    """
    fall, bend, slope, swell = (2 * numbers - 1).chunk(4, dim=1)
    fall = (fall + 3) / 2  # in [1, 2): the top is the farther end
    total = fall + bend.abs() + slope.abs() + swell.abs()
    rows, columns = (_cosines(size, numbers) for size in (height, width))
    down = 1 + (fall * rows[0] + bend * rows[1]) / total
    across = (slope * columns[0] + swell * columns[1]) / total
    return down.mT, across


def _cosines(size: int, like: Tensor) -> Tensor:
    """Half a wave and a whole one over `size` pixels, (2, 1, 1, 1, size), each of mean 0."""
    middles = (np.arange(size) + 0.5) / size
    waves = torch.from_numpy(np.cos(np.outer([np.pi, 2 * np.pi], middles)))
    return waves.view(2, 1, 1, 1, size).to(like)


def _centres(size: int, side: int) -> Tensor:
    """The pixel centres along `size` pixels in units of `side`: (1, 1, 1, size) float64."""
    return torch.from_numpy((np.arange(size) + 0.5) / side).view(1, 1, 1, -1)
