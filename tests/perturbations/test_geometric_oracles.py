"""Warps against scipy's map_coordinates in float64, and how far they say that they move it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import interpolate, ndimage
from torch import Tensor

from semaudit.perturbations import Draw, get, registered
from semaudit.perturbations.geometric import displacement
from semaudit.probes import load_probes

Scenes = Callable[..., Tensor]
Map = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Centred (x, y) of the result, in pixels, to centred (x, y) of the picture."""

IDS = ["a", "b", "c", "d"]
SIZES = [(97, 131), (28, 28), (64, 50)]

each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


def draw_of(name: str, count: int = 4) -> Draw:
    return Draw.of(3, name, (IDS + [str(index) for index in range(count)])[:count])


def single(strength: float) -> float:
    """The strength as the perturbation takes it: float32."""
    return float(np.float32(strength))


def numbers(values: Tensor) -> np.ndarray:
    return values.flatten().double().numpy()


def centred(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width].astype(float)
    return x - (width - 1) / 2, y - (height - 1) / 2


def warped(images: Tensor, maps: list[Map]) -> np.ndarray:
    """Read each image (c, h, w) where its map says: bilinear, mirrored at the pixel edges."""
    height, width = images.shape[-2:]
    results = []
    for image, place in zip(images.double().numpy(), maps, strict=True):
        x, y = place(*centred(height, width))
        places = np.stack((y + (height - 1) / 2, x + (width - 1) / 2))
        results.append(
            np.stack(
                [ndimage.map_coordinates(plane, places, order=1, mode="reflect") for plane in image]
            )
        )
    return np.stack(results)


def shifts(draw: Draw, reach: float) -> list[Map]:
    return [
        lambda x, y, dx=reach * c, dy=reach * s: (x - dx, y - dy)
        for c, s in zip(*map(numbers, draw.direction()), strict=True)
    ]


def rotations(draw: Draw, strength: float) -> list[Map]:
    return [
        lambda x, y, a=2 * np.pi * strength * sign: (
            x * np.cos(a) - y * np.sin(a),
            x * np.sin(a) + y * np.cos(a),
        )
        for sign in numbers(draw.sign())
    ]


def scales(draw: Draw, strength: float) -> list[Map]:
    return [lambda x, y, s=1 + strength * sign: (x / s, y / s) for sign in numbers(draw.sign())]


def shears(draw: Draw, strength: float) -> list[Map]:
    maps: list[Map] = []
    angles = (numbers(part) for part in draw.direction())
    for cosine, sine, sign in zip(*angles, numbers(draw.sign()), strict=True):
        along, across = np.array([cosine, sine]), np.array([-sine, cosine])
        matrix = np.eye(2) + sign * strength * np.outer(along, across)
        maps.append(lambda x, y, m=matrix: tuple(np.tensordot(m, np.stack((x, y)), 1)))
    return maps


def perspectives(draw: Draw, strength: float, height: int, width: int) -> list[Map]:
    """Each homography out of its eight linear equations."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (width / 2, height / 2)
    maps: list[Map] = []
    for row in draw.uniform(8, 1, 1).double().reshape(-1, 4, 2).numpy():
        seen = corners + (2 * row - 1) * strength * min(height, width)
        equations, values = [], []
        for (x, y), (u, v) in zip(corners, seen, strict=True):
            equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
            values += [u, v]
        a, b, c, d, e, f, g, h = np.linalg.solve(equations, values)

        def place(
            x: np.ndarray, y: np.ndarray, rows: tuple[float, ...] = (a, b, c, d, e, f, g, h)
        ) -> tuple[np.ndarray, np.ndarray]:
            a, b, c, d, e, f, g, h = rows
            depth = g * x + h * y + 1
            return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth

        maps.append(place)
    return maps


def rubber(draw: Draw, strength: float, height: int, width: int) -> list[Map]:
    """The elastic field by scipy's B-splines on a knot every quarter of the shorter side."""
    spacing = min(height, width) / 4

    def basis(size: int) -> np.ndarray:
        controls = int(np.floor((size - 0.5) / spacing)) + 4
        spline = interpolate.BSpline(np.arange(-3.0, controls + 1), np.eye(controls), 3)
        return spline((np.arange(size) + 0.5) / spacing)

    down, across = basis(height), basis(width)
    controls = draw.uniform(2, down.shape[1], across.shape[1]).double().numpy() * 2 - 1
    fields = np.einsum("yi,ncij,xj->ncyx", down, controls, across) * strength * min(height, width)
    return [lambda x, y, f=field: (x + f[0], y + f[1]) for field in fields]


def crops(draw: Draw, strength: float, height: int, width: int) -> list[Map]:
    """The left upper corner of the crop is a drawn share of what is cut away."""
    maps: list[Map] = []
    for u, v in draw.uniform(2, 1, 1).double().reshape(-1, 2).numpy():

        def place(
            x: np.ndarray, y: np.ndarray, u: float = u, v: float = v
        ) -> tuple[np.ndarray, np.ndarray]:
            left, top = strength * width * u, strength * height * v
            right = left + (x + width / 2) * (1 - strength)
            below = top + (y + height / 2) * (1 - strength)
            return right - width / 2, below - height / 2

        maps.append(place)
    return maps


def lenses(draw: Draw, strength: float, height: int, width: int) -> list[Map]:
    corner = np.hypot(height, width) / 2

    def bent(x: np.ndarray, y: np.ndarray, k: float) -> tuple[np.ndarray, np.ndarray]:
        radius, angle = np.hypot(x, y) / corner, np.arctan2(y, x)
        longer = radius * (1 + k * radius**2) * corner
        return longer * np.cos(angle), longer * np.sin(angle)

    return [lambda x, y, k=sign * strength: bent(x, y, k) for sign in numbers(draw.sign())]


def maps_of(name: str, draw: Draw, strength: float, height: int, width: int) -> list[Map]:
    """An independent statement of each map."""
    strength, side, size = single(strength), min(height, width), (height, width)
    return {
        "subpixel_shift": lambda: shifts(draw, strength * side),
        "rotation": lambda: rotations(draw, strength),
        "scale": lambda: scales(draw, strength),
        "shear": lambda: shears(draw, strength),
        "perspective": lambda: perspectives(draw, strength, *size),
        "elastic": lambda: rubber(draw, strength, *size),
        "crop_jitter": lambda: crops(draw, strength, *size),
        "lens_distortion": lambda: lenses(draw, strength, *size),
    }[name]()


STRENGTHS = {
    "subpixel_shift": 0.03,
    "rotation": 0.03,
    "scale": 0.1,
    "shear": 0.1,
    "perspective": 0.08,
    "elastic": 0.1,
    "crop_jitter": 0.1,
    "lens_distortion": 0.15,
}

NAMES = [*STRENGTHS, "pixel_shift"]

each_warp = pytest.mark.parametrize("name", STRENGTHS)


def test_every_geometric_perturbation_has_an_oracle() -> None:
    made = {each.function for each in registered().values() if each.family == "geometric"}
    assert {get(name).function for name in NAMES} == made


@each_size
@each_warp
def test_against_scipy(name: str, size: tuple[int, int], scenes: Scenes) -> None:
    images, draw = scenes(6, 3, *size), draw_of(name, 6)
    assert len(draw.sign().unique()) == 2, "the ids must try both ways"
    expected = warped(images, maps_of(name, draw, STRENGTHS[name], *size))
    result = get(name)(images, STRENGTHS[name], draw)
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=5e-5)


@each_warp
def test_half_precision_loses_nothing_but_its_own(name: str, scenes: Scenes) -> None:
    images, draw = scenes(4, 1, 97, 131).bfloat16(), draw_of(name)
    strength = float(torch.tensor(STRENGTHS[name]).bfloat16())
    expected = warped(images, maps_of(name, draw, strength, 97, 131))
    result = get(name)(images, STRENGTHS[name], draw)
    np.testing.assert_allclose(result.double().numpy(), expected, rtol=2**-8, atol=1e-4)


@each_size
@each_warp
def test_displacement_is_that_of_the_map(name: str, size: tuple[int, int]) -> None:
    draw, at = draw_of(name), centred(*size)
    expected = [
        np.sqrt(np.mean((there[0] - at[0]) ** 2 + (there[1] - at[1]) ** 2)) / min(size)
        for there in (
            np.broadcast_arrays(*place(*at))
            for place in maps_of(name, draw, STRENGTHS[name], *size)
        )
    ]
    images = torch.empty(4, 1, *size)
    found = displacement(name, images, STRENGTHS[name], draw)
    assert found is not None
    assert found.shape == (4,)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    each = displacement(name, images, torch.full((4, 1, 1, 1), STRENGTHS[name]), draw)
    assert each is not None
    assert torch.equal(each, found)


def test_displacement_in_closed_form() -> None:
    images = torch.empty(2, 3, 40, 40)
    shift = displacement("subpixel_shift", images, 0.01, draw_of("p", 2))
    turn = displacement("rotation", images, 0.25, draw_of("p", 2))
    assert shift is not None
    assert turn is not None
    np.testing.assert_allclose(shift.numpy(), 0.01, rtol=1e-4)
    # A quarter turn moves a point by sqrt(2) of its distance from the centre.
    squares = (np.arange(40) - 19.5) ** 2
    np.testing.assert_allclose(turn.numpy(), np.sqrt(2 * 2 * squares.mean()) / 40, rtol=1e-5)


def test_displacement_is_of_warps_alone() -> None:
    images = torch.empty(2, 3, 40, 40)
    for name, each in registered().items():
        strength = each.max_strength / 10
        moved = displacement(name, images, strength, draw_of(name, 2))
        is_warp = each.family == "geometric" or name == "rigid_move"
        assert (moved is not None) == is_warp, name


@each_warp
def test_the_strength_means_the_same_at_any_resolution(name: str) -> None:
    strength, draw = STRENGTHS[name] / 2, draw_of(name)
    small, large = (
        displacement(name, torch.empty(4, 1, side, side), strength, draw) for side in (28, 336)
    )
    assert small is not None
    assert large is not None
    np.testing.assert_allclose(small.numpy(), large.numpy(), rtol=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_displacement_grows_with_the_strength(name: str) -> None:
    images, draw = torch.empty(4, 1, 97, 131), draw_of(name)
    top = get(name).max_strength
    found = [displacement(name, images, top * share, draw) for share in (0.1, 0.2, 0.4)]
    for less, more in pairwise(found):
        assert less is not None
        assert more is not None
        assert (less < more).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_dark_corner_at_the_largest_strength(name: str) -> None:
    white = torch.ones(8, 3, 64, 80)
    moved = get(name)(white, get(name).max_strength, draw_of(name, 8))
    torch.testing.assert_close(moved, white, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["perspective", "elastic", "lens_distortion"])
def test_nothing_folds_over_at_the_largest_strength(name: str) -> None:
    """Two ramps, read through the warp, are its map: its area element stays positive."""
    size, count = 96, 40
    ramp = (torch.arange(size).double() + 0.5) / size
    across, down = ramp.expand(count, 1, size, size), ramp[:, None].expand(count, 1, size, size)
    draw, strength = draw_of(name, count), get(name).max_strength
    inner = slice(20, -20)  # away from the mirrored border
    x, y = (get(name)(each, strength, draw)[:, 0, inner, inner] for each in (across, down))
    (x_down, x_across), (y_down, y_across) = (torch.gradient(each, dim=(1, 2)) for each in (x, y))
    assert ((x_across * y_down - x_down * y_across) * size**2 > 0.05).all()


def test_the_elastic_field_cannot_fold() -> None:
    """Choi and Lee 2000: control values up to knot distance / 2.046392675 keep it one-to-one."""
    assert get("elastic").max_strength <= 1 / 4 / 2.046392675


def test_no_point_moves_farther_than_the_elastic_strength() -> None:
    draw = draw_of("elastic", 16)
    for place in maps_of("elastic", draw, 0.1, 64, 80):
        for there, here in zip(place(*centred(64, 80)), centred(64, 80), strict=True):
            assert np.abs(there - here).max() <= 0.1 * 64 + 1e-5


def test_a_crop_stays_inside_the_picture() -> None:
    ramp = (torch.arange(64.0) + 0.5) / 64
    seen = get("crop_jitter")(ramp.expand(16, 1, 64, 64), 0.25, draw_of("p", 16))
    width = seen[..., -2] - seen[..., 1]
    torch.testing.assert_close(width, torch.full_like(width, 0.75 * 61 / 64), rtol=0, atol=1e-5)
    starts = seen[:, 0, 0, 0]
    assert starts.max() - starts.min() > 0.1, "the place is drawn"


@pytest.mark.parametrize("size", [(97, 131), (64, 64)])
def test_a_pixel_shift_copies_pixels(size: tuple[int, int], scenes: Scenes) -> None:
    images, draw = scenes(4, 3, *size), draw_of("move")
    parts = [numbers(part) for part in draw.direction()]
    for strength in (0.004, 0.013, 0.05, 0.4):
        moved = get("pixel_shift")(images, strength, draw).numpy()
        for index, image in enumerate(images.numpy()):
            whole = np.ceil(strength * min(size))
            right, down = (int(np.floor(whole * p[index] + 0.5)) for p in parts)
            pad = max(size) // 2
            framed = np.pad(image, ((0, 0), (pad, pad), (pad, pad)), mode="symmetric")
            expected = framed[:, pad - down :, pad - right :][:, : size[0], : size[1]]
            np.testing.assert_array_equal(moved[index], expected)


@pytest.mark.parametrize("side", [1, 28, 64, 97, 100, 224, 512])
def test_every_rung_of_a_pixel_shift_moves_every_picture(side: int) -> None:
    (probe,) = (probe for probe in load_probes() if probe.name == "pixel_shift")
    images, draw = torch.zeros(500, 1, side, side), draw_of("move", 500)
    before = torch.zeros(500, dtype=torch.float64)
    for strength in (1e-6, *probe.ladder):
        moved = displacement("pixel_shift", images, strength, draw)
        assert moved is not None
        assert (moved * side >= 1).all()
        assert (moved >= before).all()
        before = moved


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_whole_number_of_pixels_is_not_rounded_up(dtype: torch.dtype) -> None:
    """As a product of binary fractions it may come out a little larger."""
    images, draw = torch.zeros(20, 1, 100, 100, dtype=dtype), draw_of("move", 20)
    cosine, sine = draw.direction()
    for pixels in range(1, 40):
        moved = displacement("pixel_shift", images, pixels / 100, draw)
        assert moved is not None
        right, down = ((pixels * part + 0.5).floor().flatten() for part in (cosine, sine))
        torch.testing.assert_close(moved, torch.hypot(right, down).double() / 100)


def test_a_pixel_shift_keeps_the_bits_of_bfloat16(scenes: Scenes) -> None:
    images = scenes(2, 1, 64, 64).bfloat16()
    moved = get("pixel_shift")(images, 0.05, draw_of("move", 2))
    assert set(moved.flatten().tolist()) <= set(images.flatten().tolist())
    assert not torch.equal(moved, images)


def test_half_a_pixel_is_the_mean_of_neighbours() -> None:
    draw = draw_of("p", 400)
    cosine, sine = draw.direction()
    flattest = int(sine.abs().argmin())
    chosen = draw.subset(torch.tensor([flattest]))
    row = torch.rand(1, 1, 1, 32, generator=torch.Generator().manual_seed(0)).expand(1, 1, 32, 32)
    moved = get("subpixel_shift")(row, 0.5 / 32, chosen)
    step = int(cosine[flattest].sign())
    mean = (row + row.roll(step, -1)) / 2
    torch.testing.assert_close(moved[..., 1:-1], mean[..., 1:-1], rtol=0, atol=1e-3)
