"""Small moves of the camera: bilinear, mirrored at the borders, so no black corner appears.

A warp says where on the clean picture each pixel of the changed one looks. Out of that map come
both the perturbation and how far it moves the picture's points, which is what geometric ladders are
calibrated by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import at_least_single, double, per_image
from semaudit.perturbations.registry import Perturbation, Strength, perturbation


@dataclass(frozen=True, eq=False)
class Grid:
    """The pixel centres of pictures, in pixels from the middle of the picture.

    float32 whatever the pictures' dtype: in half precision neighbouring pixels would coincide.

    Attributes:
        x: (1, 1, 1, w), to the right.
        y: (1, 1, h, 1), down.
    """

    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, images: Tensor) -> Grid:
        """Return the grid of images (n, c, h, w)."""
        y, x = (
            torch.arange(size, dtype=torch.float32, device=images.device) - (size - 1) / 2
            for size in images.shape[-2:]
        )
        return cls(x.view(1, 1, 1, -1), y.view(1, 1, -1, 1))

    @property
    def height(self) -> int:
        """In pixels."""
        return self.y.numel()

    @property
    def width(self) -> int:
        """In pixels."""
        return self.x.numel()

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.height, self.width)


Places: TypeAlias = tuple[Tensor, Tensor]
"""(x, y) in pixels from the middle of the picture, each broadcast to (n, 1, h, w)."""

Warp: TypeAlias = Callable[[Grid, Tensor, Draw], Places]
"""(grid, strength (n, 1, 1, 1) float32, draw) -> where on the clean picture each pixel looks."""

_warps: dict[str, Warp] = {}


def warp(
    *,
    family: str = "geometric",
    max_strength: float = 1.0,
    smallest_side: int = 1,
    mode: Literal["bilinear", "nearest"] = "bilinear",
    stepwise: bool = False,
) -> Callable[[Warp], Perturbation]:
    """Register the decorated map as the perturbation of its name."""

    def register(function: Warp) -> Perturbation:
        @wraps(function)
        def moved(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
            return resample(images, _places(function, images, strength, draw), mode)

        made = perturbation(
            family=family,
            max_strength=max_strength,
            smallest_side=smallest_side,
            stepwise=stepwise,
        )(moved)
        _warps[made.name] = function
        return made

    return register


def displacement(name: str, images: Tensor, strength: Strength, draw: Draw) -> Tensor | None:
    """Return how far the perturbation `name` moves the points of each picture.

    Args:
        name: of a perturbation.
        images: (n, c, h, w); only their shape matters.
        strength: as the perturbation takes it.
        draw: of these images.

    Returns:
        The root mean square over the pixels of the distance between where a pixel is and where it
        looks, as a fraction of the shorter side: (n,) float64. None where it is no warp.
    """
    if name not in _warps:
        return None
    grid = Grid.of(images)
    x, y = _places(_warps[name], images, strength, draw)
    squares = double(x - grid.x).square() + double(y - grid.y).square()
    whole = squares.expand(len(images), 1, grid.height, grid.width)
    return whole.mean((1, 2, 3)).sqrt() / grid.side


def resample(
    images: Tensor, places: Places, mode: Literal["bilinear", "nearest"] = "bilinear"
) -> Tensor:
    """Read images (n, c, h, w) at these places, mirrored at the pixel edges; the dtype is kept.

    The grid is made elementwise: the matmul inside ``affine_grid`` rounds by batch size. It is kept
    as two planes: to weave them together costs as much as to sample.
    """
    count, _, height, width = images.shape
    fine = at_least_single(images)
    planes = fine.new_empty(2, count, height, width)
    for plane, place, extent in zip(planes, places, (width, height), strict=True):
        torch.mul(place[:, 0].expand(count, height, width), 2 / extent, out=plane)
    grid = planes.permute(1, 2, 3, 0)
    read = F.grid_sample(fine, grid, mode=mode, padding_mode="reflection", align_corners=False)
    return read.to(images.dtype)


def _places(function: Warp, images: Tensor, strength: Strength, draw: Draw) -> Places:
    # First in the dtype of the images: a number and a tensor of it are then the same strength.
    return function(Grid.of(images), per_image(strength, images).float(), draw)


@warp()
def subpixel_shift(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Shift the picture in a drawn direction, also by parts of a pixel, reading it bilinearly.

    (x, y) looks at (x, y) - strength * side * (cos a, sin a), a drawn. The strength is the
    displacement, a fraction of the shorter side.
    """
    reach = strength * grid.side
    cosine, sine = draw.direction()
    return grid.x - reach * cosine, grid.y - reach * sine


_PAST = 2.0**-7
"""How far past a whole pixel a shift still counts as that: more than half precision rounds."""


# Of pictures smaller than 50 pixels every rung of a ladder that ends at 0.02 is the same pixel.
@warp(smallest_side=64, mode="nearest", stepwise=True)
def pixel_shift(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Shift the picture in a drawn direction by whole pixels: no value is interpolated.

    (x, y) looks at (x, y) - round(k * (cos a, sin a)), k = ceil(strength * side * (1 - 2^-7)), a
    drawn: the strength is the displacement before rounding, a fraction of the shorter side, and k
    is rounded up, so that every strength above 0 moves the picture by at least one pixel. The slack
    of 2^-7 is more than half precision rounds: what lies past a whole pixel by less than that part
    of itself still counts as that pixel. On small pictures several strengths are the same whole
    pixels, and so the same picture. Networks that take
    every second pixel answer such shifts unevenly (Azulay and Weiss 2019, "Why do deep
    convolutional networks generalize so poorly to small image transformations?").
    """
    reach = (strength * grid.side * (1 - _PAST)).ceil()
    cosine, sine = draw.direction()
    # One of cosine and sine is over 0.7: not both can be rounded to 0.
    return grid.x - (reach * cosine + 0.5).floor(), grid.y - (reach * sine + 0.5).floor()


# Beyond half a turn the picture would come back.
@warp(max_strength=0.5)
def rotation(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Rotate the picture about its centre, either way.

    (x, y) looks at (x cos a - y sin a, x sin a + y cos a), a = +-2 pi strength, the sign drawn.
    The strength is in turns.
    """
    angle = double(strength) * (2 * math.pi)
    cosine = angle.cos().to(grid.x)
    sine = draw.sign() * angle.sin().to(grid.x)
    return grid.x * cosine - grid.y * sine, grid.x * sine + grid.y * cosine


@warp(max_strength=0.9)
def scale(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Enlarge or shrink the picture about its centre, as a lens that zooms.

    (x, y) looks at (x, y) / (1 + strength) or at (x, y) / (1 - strength), drawn. The strength is
    the change of size, a fraction of it.
    """
    factor = 1 + draw.sign() * strength
    return grid.x / factor, grid.y / factor


@warp()
def shear(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Slant the picture along a drawn direction: lines along it slide past each other.

    p looks at p +- strength * (p . n) * d, d = (cos a, sin a), n = (-sin a, cos a), a and the sign
    drawn; areas are kept. The strength is the tangent of the angle by which a line across d leans.
    """
    cosine, sine = draw.direction()
    slide = (grid.y * cosine - grid.x * sine) * (draw.sign() * strength)
    return grid.x + slide * cosine, grid.y + slide * sine
