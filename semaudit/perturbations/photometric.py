"""Light and colour. Each image is drawn one sign, so that both ways are tried over a set."""

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
    return images + draw.sign() * per_image(strength, images)


@perturbation(family="photometric")
def contrast(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Scale the distance from the image's mean by 1 + strength or 1 - strength."""
    centre = mean(images, (1, 2, 3))
    return images + (images - centre) * (draw.sign() * per_image(strength, images))


@perturbation(family="photometric")
def gamma(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Raise each value to the power 1 + strength, or to its inverse."""
    power = 1 + per_image(strength, images)
    exponent = torch.where(draw.sign() > 0, power, 1 / power)
    # float64 rounded once: float32 powers differ in the last bit with the place in the batch.
    # exp(e log x) is twice as fast as a general power.
    logarithm = double(images.clamp(min=_DARKEST)).log()
    return (logarithm * double(exponent)).exp().to(images)


@perturbation(family="photometric", channels=3)
def saturation(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Move away from grey or toward it by the strength; 1 toward grey is grey.

    Grey is BT.601 luma. Images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    grey = luma(images)
    return images + (images - grey) * (draw.sign() * per_image(strength, images))


@perturbation(family="photometric", channels=3)
def hue(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Turn the hue by the strength, in turns, either way: a rotation of the IQ plane of YIQ.

    Luma is kept. Images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    angle = double(per_image(strength, images)) * (2 * math.pi)
    cosine = angle.cos().to(images)
    sine = draw.sign() * angle.sin().to(images)
    grey = luma(images)
    chroma = images - grey
    return grey + chroma * cosine + _quarter_turn(chroma) * sine


def _quarter_turn(chroma: Tensor) -> Tensor:
    """Chroma turned by a quarter in the IQ plane, as sums of planes (a matmul rounds by batch)."""
    red, green, blue = chroma.chunk(3, dim=1)
    return torch.cat([red * r + green * g + blue * b for r, g, b in _QUARTER_TURN], dim=1)


def _quarter_turn_matrix() -> list[list[float]]:
    # FCC NTSC (1953): luma, in-phase and quadrature out of red, green and blue.
    to_yiq = np.array(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )
    turn = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    matrix: list[list[float]] = (np.linalg.inv(to_yiq) @ turn @ to_yiq).tolist()
    return matrix


_QUARTER_TURN = _quarter_turn_matrix()
