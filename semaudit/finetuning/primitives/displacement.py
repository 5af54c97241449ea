"""Where pixels look: a random smooth displacement."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations import Draw

_WAVES = 5
"""Half periods over the picture, of the finest part of the field."""

_STREAM = 11


def displace(images: Tensor, strength: Tensor, draw: Draw) -> Tensor:
    """Let every pixel look a little beside its place, neighbours nearly the same way.

    p looks at p + strength * side * field(p). Each part of the field is a sum of cosines of up to
    five half periods over the picture, with normal coefficients that fall as 1 / (i**2 + j**2)
    (the random diffeomorphisms of Petrini et al. 2021, there of sines); without the constant: the
    picture as a whole does not move. The strength is the field's expected root mean square, a
    fraction of the shorter side. Bilinear, mirrored at the borders.
    """
    n, _, height, width = images.shape
    coefficients = draw.normal(2, _WAVES, _WAVES, stream=_STREAM) * _falling(images.device)
    rows, columns = (_cosines(size, images.device) for size in (height, width))
    field = torch.einsum("hi,nkij,wj->nkhw", rows, coefficients, columns)
    reach = field * (strength.float() * min(height, width))
    # grid_sample counts from -1 to 1 over the side.
    scale = torch.tensor([2 / width, 2 / height], device=images.device).view(1, 2, 1, 1)
    grid = F.affine_grid(
        torch.eye(2, 3, device=images.device).expand(n, 2, 3), list(images.shape), False
    )
    return F.grid_sample(
        images,
        grid + (reach * scale).permute(0, 2, 3, 1),
        mode="bilinear",
        padding_mode="reflection",
        align_corners=False,
    )


@lru_cache(maxsize=16)
def _cosines(size: int, device: torch.device) -> Tensor:
    """cos(pi * i * x) at pixel centres x in [0, 1], (size, waves)."""
    places = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    waves = torch.arange(_WAVES, dtype=torch.float64)
    return torch.cos(math.pi * places[:, None] * waves).float().to(device)


@lru_cache(maxsize=16)
def _falling(device: torch.device) -> Tensor:
    """The standard deviations of the coefficients, (waves, waves), for a field of mean square 1."""
    i, j = torch.meshgrid(*[torch.arange(_WAVES, dtype=torch.float64)] * 2, indexing="ij")
    squares = i.square() + j.square()
    falling = torch.where(squares > 0, 1 / squares.clamp_min(1), 0.0)
    # The mean square of cos(pi i x) cos(pi j y) is 1/4; 1/2 where i or j is 0.
    power = torch.where((i == 0) | (j == 0), 0.5, 0.25) * falling.square()
    return (falling / power.sum().sqrt()).float().to(device)
