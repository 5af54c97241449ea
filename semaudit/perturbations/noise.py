"""Noise of a sensor: one field an image, scaled by the strength along the whole ladder."""

from __future__ import annotations

from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import per_image
from semaudit.perturbations.registry import Strength, perturbation


@perturbation(family="noise")
def gaussian_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Add normal noise; the strength is its standard deviation as a fraction of full scale."""
    return images + draw.normal(*images.shape[1:]) * per_image(strength, images)


@perturbation(family="noise")
def speckle_noise(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Scale each value by 1 + normal noise; the strength is that noise's standard deviation."""
    return images + images * (draw.normal(*images.shape[1:]) * per_image(strength, images))
