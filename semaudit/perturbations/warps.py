"""Moves that bend or crop the picture: a tilted camera, a lens, a wobble, another crop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.geometric import Grid, Places, warp
from semaudit.perturbations.pixels import double

_SPANS = 4  # stretches of the elastic field's spline over the shorter side
_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


# Up to a quarter, any four corners so displaced are those of a convex figure.
@warp(max_strength=0.2)
def perspective(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """See the picture from a slightly other place: each of its corners moves by itself.

    The corners of the result look at points that lie up to strength * side from the picture's
    corners along each axis, evenly drawn; in between, the one homography that joins the four
    (Heckbert 1989, "Fundamentals of texture mapping and image warping"). The strength is a
    fraction of the shorter side.
    """
    reach = double(strength) * grid.side
    offsets = (2 * double(draw.uniform(8, 1, 1)) - 1) * reach
    half = (grid.width / 2, grid.height / 2)
    corners = [
        [sign * extent + offsets[:, 2 * index + axis, None] for index, sign in enumerate(signs)]
        for axis, (extent, signs) in enumerate(zip(half, zip(*_CORNERS, strict=True), strict=True))
    ]
    rows = _homography(corners[0], corners[1], grid)
    (a, b, c), (d, e, f), (g, h, _) = ([part.to(grid.x) for part in row] for row in rows)
    depth = 1 / ((g * grid.x + 1) + h * grid.y)
    return (a * grid.x + (b * grid.y + c)) * depth, (d * grid.x + (e * grid.y + f)) * depth


# Choi and Lee's bound is 1 / (2.046 * _SPANS) = 0.122.
@warp(max_strength=0.12)
def elastic(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Stretch the picture a little here and there, as if it were printed on rubber.

    p looks at p + strength * side * field(p). Each part of the field is a uniform cubic B-spline
    (Rueckert et al. 1999, "Nonrigid registration using free-form deformations") on knots a quarter
    of the shorter side apart, its control values even in [-1, 1): a smooth random field, as in
    Simard et al. 2003 ("Best practices for convolutional neural networks"), that is the same at
    any resolution. No point moves by more than strength * side along an axis; the strength is a
    fraction of the shorter side. Up to 0.48 of the knots' distance nothing folds over (Choi and
    Lee 2000, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions").
    """
    field = draw.derived("field", lambda: _field(grid, draw), 2, grid.height, grid.width)
    reach = strength * grid.side
    return grid.x + reach * field[:, :1], grid.y + reach * field[:, 1:]


@warp(max_strength=0.5)
def crop_jitter(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Crop the picture a little, at a drawn place, and enlarge the crop to the old size.

    (x, y) looks at (1 - strength) * (x, y) + strength * (u width, v height), u and v even in
    [-1/2, 1/2). The strength is the fraction of each side that is cut away.
    """
    u, v = (draw.uniform(2, 1, 1) - 0.5).chunk(2, dim=1)
    kept = 1 - strength
    return (
        grid.x * kept + strength * (u * grid.width),
        grid.y * kept + strength * (v * grid.height),
    )


# From 1/3 on, a barrel would fold the corners over.
@warp(max_strength=0.3)
def lens_distortion(grid: Grid, strength: Tensor, draw: Draw) -> Places:
    """Bend straight lines outward or inward, as a wide or a long lens does: barrel or pincushion.

    A point at the distance r from the centre looks at the distance r (1 + k r**2), r = 1 in the
    corners, k = strength or -strength, drawn: the first term of Brown 1971 ("Close-range camera
    calibration"). The strength is by how much a corner moves, a fraction of half the diagonal.
    """
    squares = grid.x.square() + grid.y.square()
    squares = squares / ((grid.width**2 + grid.height**2) / 4)
    factor = 1 + draw.sign() * strength * squares
    return grid.x * factor, grid.y * factor


def _homography(x: Sequence[Tensor], y: Sequence[Tensor], grid: Grid) -> list[list[Tensor]]:
    """The map from the grid's rectangle to a quadrangle: three rows of three, each (n, 1, 1, 1).

    Corners clockwise from the upper left, float64. It takes pixels from the middle to pixels from
    the middle, and its last entry is 1.
    """
    x1, x2, sum_x = x[1] - x[2], x[3] - x[2], x[0] - x[1] + x[2] - x[3]
    y1, y2, sum_y = y[1] - y[2], y[3] - y[2], y[0] - y[1] + y[2] - y[3]
    area = x1 * y2 - y1 * x2
    g, h = (sum_x * y2 - sum_y * x2) / area, (x1 * sum_y - y1 * sum_x) / area
    rows = [[z[1] - z[0] + g * z[1], z[3] - z[0] + h * z[3], z[0]] for z in (x, y)]
    rows.append([g, h, torch.ones_like(g)])
    # From the unit square, whose origin is a corner, to pixels from the middle.
    centred = [[p / grid.width, q / grid.height, middle + (p + q) / 2] for p, q, middle in rows]
    scale = centred[2][2]
    return [[part / scale for part in row] for row in centred]


def _field(grid: Grid, draw: Draw) -> Tensor:
    """The elastic field, in units of the reach: (n, 2, h, w) float32 in [-1, 1)."""
    spacing = grid.side / _SPANS
    (rows, down), (columns, across) = (_spline(size, spacing) for size in (grid.height, grid.width))
    controls = 2 * draw.uniform(2, int(rows.max()) + 1, int(columns.max()) + 1) - 1
    return _blend(_blend(controls, columns, across, -1), rows, down, -2)


def _blend(values: Tensor, indices: np.ndarray, weights: np.ndarray, dim: int) -> Tensor:
    """Along `dim`, the weighted sum of the values at `indices` (taps, size).

    Term by term: a matrix product would round by batch size.
    """
    shape = (-1,) + (1,) * (-1 - dim)
    terms = (
        values.index_select(dim, torch.from_numpy(index).to(values.device))
        * torch.from_numpy(weight).to(values).view(shape)
        for index, weight in zip(indices, weights, strict=True)
    )
    total = next(terms)
    for term in terms:
        total = total + term
    return total


@lru_cache(maxsize=16)
def _spline(size: int, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """The four controls that each of `size` pixels has, and their weights: (4, size) each.

    Pixel p is at p + 1/2; a knot is at 0 and every `spacing` pixels. Not to be written into.
    """
    place = (np.arange(size) + 0.5) / spacing
    first = np.floor(place).astype(np.int64)
    t = place - first
    weights = np.stack(
        ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    )
    return first + np.arange(4)[:, None], weights / 6
