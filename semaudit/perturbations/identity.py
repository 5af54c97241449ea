"""No change at all: what is measured along it is the noise floor."""

from __future__ import annotations

from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.registry import Strength, perturbation


@perturbation(family="identity")
def identity(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Return the images as they are, at any strength."""
    return images
