"""What storage and transport do: fewer pixels, fewer levels."""

from __future__ import annotations

from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.geometric import pixel_grid, resample
from semaudit.perturbations.pixels import per_image
from semaudit.perturbations.registry import Strength, perturbation


@perturbation(family="resampling", max_strength=0.5)
def downscale(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Lose the strength, as a fraction, of the resolution: bilinear down to 1 - it and up again.

    The small picture stands in the middle of a canvas of the old size, amid its mirror images, so
    that each image can have a size of its own, whole pixels or not. Half the resolution is the
    most at which bilinear reading still sees every pixel without a filter before it.
    """
    x, y = pixel_grid(images)
    scale = 1 - per_image(strength, images)
    small = resample(images, x / scale, y / scale)
    return resample(small, x * scale, y * scale)


@perturbation(family="resampling")
def quantisation(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Round to the nearest multiple of the strength, a step as a fraction of full scale.

    The gradient is zero, as for any rounding.
    """
    step = per_image(strength, images)
    return (images / step).round() * step
