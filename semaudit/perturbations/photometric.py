"""Light and colour. Where there are two ways, each image is drawn one: a set tries both.

Sums are made in place where the gradient allows it: allocating costs more than computing.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import double, is_colour, luma, mean, per_image
from semaudit.perturbations.registry import Strength, perturbation

_DARKEST = 1e-6  # a power below 1 has no slope at 0; a level this dark shows nothing


@perturbation(family="photometric")
def brightness(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add the strength, or subtract it: a fraction of full scale."""
    return images + _either_way(strength, images, draw)


@perturbation(family="photometric")
def contrast(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Scale the distance from the image's mean by 1 + strength or 1 - strength."""
    centre = mean(images, (1, 2, 3))
    return (images - centre).mul_(_either_way(strength, images, draw)).add_(images)


@perturbation(family="photometric")
def gamma(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Raise each value to the power 1 + strength, or to its inverse."""
    power = 1 + per_image(strength, images)
    exponent = torch.where(draw.sign() > 0, power, 1 / power)
    # float64 rounded once: float32 powers differ in the last bit with the place in the batch.
    # exp(e log x) is twice as fast as a general power.
    logarithm = double(images.clamp(min=_DARKEST)).log()
    return logarithm.mul_(double(exponent)).exp_().to(images)


@perturbation(family="photometric", channels=3)
def saturation(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Move away from grey or toward it by the strength; 1 toward grey is grey.

    Grey is BT.601 luma. Images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    grey = luma(images)
    return (images - grey).mul_(_either_way(strength, images, draw)).add_(images)


@perturbation(family="photometric", max_strength=0.5, channels=3)
def hue(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Turn the hue by the strength, in turns, either way: a rotation of the IQ plane of YIQ.

    Luma is kept. Images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    angle = double(per_image(strength, images)) * (2 * math.pi)
    return hue_turned(images, draw.sign().to(angle) * angle)


def hue_turned(images: Tensor, angle: Tensor) -> Tensor:
    """Images (n, 3, h, w) with their hue turned by angles (n, 1, 1, 1), radians in double."""
    cosine, sine = angle.cos().to(images), angle.sin().to(images)
    grey = luma(images)
    chroma = images - grey
    return (chroma * cosine).add_(grey).add_(_quarter_turn(chroma).mul_(sine))


@perturbation(family="photometric", max_strength=0.95)
def vignette(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Darken toward the corners, as every lens does; the strength is what a corner itself loses.

    A value is scaled by 1 / (1 + k r**2), r from 0 in the centre to 1 in the corners, with k such
    that a corner keeps 1 - strength of its value. It is the natural falloff of light with the
    fourth power of the cosine of the angle off the axis, cos**4 = (1 + k r**2)**-2 (Kingslake
    1992, "Optics in photography"), in values that encode light by its square root.
    """
    lost = per_image(strength, images).float()
    height, width = images.shape[-2:]
    across, down = (_from_centre(size, images).square() for size in (width, height))
    squares = (across + down[:, None]) / ((width / 2) ** 2 + (height / 2) ** 2)
    falloff = 1 / (1 + lost / (1 - lost) * squares)
    return images * falloff.to(images)


@perturbation(family="photometric")
def tone_curve(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Pass every channel through one smooth curve, as a photographer's editor does.

    The curve goes the strength's share of the way from the straight line to a drawn Bernstein
    polynomial of degree 4: 0 and 1 at its ends, and over 1/4, 1/2 and 3/4 three control points
    u**2 (3 - 2 u), u uniform in [0, 1], in order. Control points in order make a rising polynomial
    (Lorentz 1953, "Bernstein polynomials"), so the curve rises at every strength: no tone passes
    another.
    """
    points = draw.uniform(3, 1, 1).sort(dim=1).values
    points = points * points * (3 - 2 * points)
    bends = points - torch.arange(1, 4, device=points.device).view(1, 3, 1, 1) / 4
    low, middle, high = (bends * per_image(strength, images)).to(images).chunk(3, dim=1)
    # What the moved control points add to the straight line, by powers of the value x:
    # x (1 - x) (4 low (1 - x)**2 + 6 middle x (1 - x) + 4 high x**2).
    inner = (images * (4 * low - 6 * middle + 4 * high)).add_(6 * middle - 8 * low)
    inner = (images * inner).add_(4 * low)
    return images.square().neg_().add_(images).mul(inner).add_(images)


def _either_way(strength: Strength, images: Tensor, draw: Draw) -> Tensor:
    """The strength of each image with its drawn sign: (n, 1, 1, 1)."""
    return draw.sign().to(images) * per_image(strength, images)


def _from_centre(size: int, images: Tensor) -> Tensor:
    """Pixel centres along a side, in pixels from its middle: (size,) float32."""
    return torch.arange(size, dtype=torch.float32, device=images.device) - (size - 1) / 2


def _quarter_turn(chroma: Tensor) -> Tensor:
    """Chroma turned by a quarter in the IQ plane, as sums of planes (a matmul rounds by batch)."""
    red, green, blue = chroma.chunk(3, dim=1)
    return torch.cat([(red * r).add_(green * g).add_(blue * b) for r, g, b in _QUARTER_TURN], dim=1)


def _quarter_turn_matrix() -> list[list[float]]:
    # FCC NTSC (1953): luma, in-phase and quadrature out of red, green and blue.
    to_yiq = np.array(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )
    turn = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    matrix: list[list[float]] = (np.linalg.inv(to_yiq) @ turn @ to_yiq).tolist()
    return matrix


_QUARTER_TURN = _quarter_turn_matrix()
