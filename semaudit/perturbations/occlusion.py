"""Something in front of the picture."""

from __future__ import annotations

from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import mean, per_image, shorter_side
from semaudit.perturbations.registry import Strength, perturbation


@perturbation(family="occlusion")
def occlusion(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Cover one square with the image's mean colour; its side is strength x the shorter side.

    The place is drawn, wholly inside. A larger patch of the same draw contains the smaller one, and
    pixels at its edge are covered by their share, so the picture changes smoothly with strength.
    """
    side = per_image(strength, images) * shorter_side(images)
    height, width = images.shape[-2:]
    across, down = draw.uniform(2, 1, 1).to(images).chunk(2, dim=1)
    rows = _cover(down * (height - side), side, height).unsqueeze(-1)
    columns = _cover(across * (width - side), side, width).unsqueeze(-2)
    return images + (mean(images, (2, 3)) - images) * (rows * columns)


def _cover(start: Tensor, length: Tensor, size: int) -> Tensor:
    """The share of each of `size` pixels inside [start, start + length]: (n, 1, size)."""
    first, last = start[..., 0], (start + length)[..., 0]
    edge = start.new_ones(size).cumsum(0) - 1
    return ((edge + 1).minimum(last) - edge.maximum(first)).clamp(0, 1)
