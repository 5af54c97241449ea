"""Small moves of the camera: bilinear, mirrored at the borders, so no black corner appears."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import double, per_image, shorter_side
from semaudit.perturbations.registry import Strength, perturbation


@perturbation(family="geometric")
def translation(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Shift by the strength, a fraction of the shorter side, in a drawn direction."""
    x, y = pixel_grid(images)
    reach = per_image(strength, images) * shorter_side(images)
    cosine, sine = draw.direction()
    return resample(images, x - reach * cosine, y - reach * sine)


@perturbation(family="geometric")
def rotation(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Rotate about the centre by the strength, in turns, either way."""
    x, y = pixel_grid(images)
    angle = double(per_image(strength, images)) * (2 * math.pi)
    cosine = angle.cos().to(images)
    sine = draw.sign() * angle.sin().to(images)
    return resample(images, x * cosine - y * sine, x * sine + y * cosine)


@perturbation(family="geometric", max_strength=0.9)
def zoom(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Scale about the centre by 1 + strength or 1 - strength."""
    x, y = pixel_grid(images)
    scale = 1 + draw.sign() * per_image(strength, images)
    return resample(images, x / scale, y / scale)


def pixel_grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixel centres in pixels from the image's centre: x (1,1,1,w) and y (1,1,h,1)."""
    height, width = images.shape[-2:]
    x = torch.arange(width, dtype=images.dtype, device=images.device) - (width - 1) / 2
    y = torch.arange(height, dtype=images.dtype, device=images.device) - (height - 1) / 2
    return x.view(1, 1, 1, -1), y.view(1, 1, -1, 1)


def resample(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Read `images` bilinearly at (x, y), pixels from the centre, broadcast to (n, 1, h, w).

    The grid is made elementwise: the matmul inside ``affine_grid`` rounds by batch size.
    """
    count, _, height, width = images.shape
    shape = (count, 1, height, width)
    places = ((x * (2 / width)).expand(shape), (y * (2 / height)).expand(shape))
    grid = torch.stack(places, dim=-1).squeeze(1)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
