"""What lies before the picture against areas in closed form, fine sampling, and Pillow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from semaudit.perturbations import Draw, get, watermark
from semaudit.perturbations import occlusion as room

IDS = ["a", "b", "c", "d"]
OVERLAYS = ["thin_lines", "grid", "border", "watermark"]


def draw_of(name: str) -> Draw:
    return Draw.of(3, name, IDS)


def cover_of(
    name: str, strength: float, height: int, width: int, dtype=torch.float64
) -> np.ndarray:
    """The share of each pixel that is hidden, (4, h, w): how far middle grey goes to its tone."""
    draw = draw_of(name)
    grey = torch.full((4, 3, height, width), 0.5, dtype=dtype)
    moved = get(name)(grey, strength, draw) - grey
    assert torch.equal(moved[:, :1].expand_as(moved), moved), "black or white, not a colour"
    return (moved[:, 0] * draw.sign()[:, 0] * 2).double().numpy()


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("size", [28, 224])
def test_covers_are_shares_that_only_grow(name: str, size: int) -> None:
    highest = get(name).max_strength
    ladder = [highest * share for share in (0.003, 0.01, 0.1, 0.4, 0.41, 1.0)]
    covers = [cover_of(name, strength, size, size, torch.float32) for strength in ladder]
    assert all((small <= large + 1e-6).all() for small, large in pairwise(covers))
    assert all(small.sum() < large.sum() for small, large in pairwise(covers))
    assert covers[0].min() >= 0
    assert covers[-1].max() <= 1 + 1e-6


@pytest.mark.parametrize("name", OVERLAYS)
def test_some_are_black_and_some_white(name: str) -> None:
    draw = draw_of(name)
    moved = get(name)(torch.full((4, 1, 64, 64), 0.5), get(name).max_strength, draw)
    tones = {image[image != 0.5].mean().item() > 0.5 for image in moved}
    assert tones == {True, False}


def lines_of(draw: Draw, height: int, width: int) -> list[list[tuple[float, ...]]]:
    """For each image its lines: a point on it (x, y) and its direction (dx, dy), in pixels."""
    images: list[list[tuple[float, ...]]] = [[] for _ in IDS]
    for line in range(10):
        places = draw.uniform(2, 1, 1, stream=line).flatten(1).double().numpy()
        cosines, sines = (part.flatten().tolist() for part in draw.direction(stream=line))
        for index, place in enumerate(places):
            x, y = place * (width, height)
            images[index].append((x, y, cosines[index], sines[index]))
    return images


def test_thin_lines_against_fine_sampling() -> None:
    height, width, thick, fine = 90, 120, 2.7, 16
    covers = cover_of("thin_lines", thick / height, height, width)
    y, x = (np.mgrid[: height * fine, : width * fine] + 0.5) / fine
    for cover, lines in zip(covers, lines_of(draw_of("thin_lines"), height, width), strict=True):
        hidden = np.zeros((height * fine, width * fine), dtype=bool)
        for at_x, at_y, dx, dy in lines:
            hidden |= np.abs((x - at_x) * dy - (y - at_y) * dx) <= thick / 2
        expected = hidden.reshape(height, fine, width, fine).mean((1, 3))
        # A pixel seen from a corner is wider than from a side; the cover takes it as even.
        assert np.abs(cover - expected).max() < 0.4  # where lines cross at a slant
        assert np.abs(cover - expected).mean() < 0.01
        assert cover.sum() == pytest.approx(expected.sum(), rel=0.01)


def chord(line: tuple[float, ...], height: int, width: int) -> float:
    """The length of a line within the picture (Liang and Barsky's clipping)."""
    x, y, dx, dy = line
    spans = [
        sorted(((0 - place) / step, (size - place) / step))
        for place, step, size in ((x, dx, width), (y, dy, height))
    ]
    return min(span[1] for span in spans) - max(span[0] for span in spans)


@pytest.mark.parametrize("thick", [0.05, 0.6, 1.0, 3.0])
def test_a_line_hides_its_length_times_its_width(
    thick: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_LINES", 1)
    height, width = 150, 190
    covers = cover_of("thin_lines", thick / height, height, width)
    for cover, lines in zip(covers, lines_of(draw_of("thin_lines"), height, width), strict=True):
        area = chord(lines[0], height, width) * thick
        assert cover.sum() == pytest.approx(area, rel=0.02)


@pytest.mark.parametrize("strength", [0.0005, 0.004, 0.02, 0.05])
def test_a_grid_hides_its_area(strength: float) -> None:
    cover = cover_of("grid", strength, 224, 224 + 56)
    np.testing.assert_allclose(cover.mean((1, 2)), 1 - (1 - strength * 8) ** 2, atol=2e-6)


def test_a_grid_is_its_wires_sampled_finely() -> None:
    size, strength, fine = 96, 0.03, 1000
    covers = cover_of("grid", strength, size, size)
    offsets = draw_of("grid").uniform(2, 1, 1).flatten(1).double().numpy() * size / 8
    places = (np.arange(size * fine) + 0.5) / fine
    for cover, (across, down) in zip(covers, offsets, strict=True):
        hidden = []
        for offset in (down, across):
            phase = (places - offset + strength * size / 2) % (size / 8)
            hidden.append((phase < strength * size).reshape(size, fine).mean(1))
        expected = 1 - np.outer(1 - hidden[0], 1 - hidden[1])
        np.testing.assert_allclose(cover, expected, atol=3e-3)


@pytest.mark.parametrize("strength", [0.004, 0.03, 0.25])
def test_a_border_hides_its_area(strength: float) -> None:
    height, width = 97, 131
    cover = cover_of("border", strength, height, width)
    frame = strength * height
    area = height * width - (height - 2 * frame) * (width - 2 * frame)
    np.testing.assert_allclose(cover.sum((1, 2)), area, rtol=1e-5)
    whole, rest = divmod(frame, 1)
    inner = int(whole) + 1
    np.testing.assert_array_equal(cover[:, inner:-inner, inner:-inner], 0)
    np.testing.assert_allclose(cover[:, int(whole), width // 2], rest, atol=1e-5)
    np.testing.assert_array_equal(cover[:, : int(whole)], 1)


def test_the_watermark_is_legible_where_a_cell_is_a_pixel() -> None:
    cover = cover_of("watermark", 1.0, 80, 80)[0]
    word = np.array([[cell == "#" for cell in row] for row in watermark._LETTERS], dtype=float)
    places = [
        (row, column)
        for row in range(80 - word.shape[0])
        for column in range(80 - word.shape[1])
        if np.array_equal(cover[row : row + word.shape[0], column : column + word.shape[1]], word)
    ]
    rows = sorted({row for row, _ in places})
    assert len(rows) >= 4
    assert all(high - low == 16 for low, high in pairwise(rows))
    assert cover.mean() == pytest.approx(word.sum() / (16 * 40), rel=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "fine"), [(28, 28, 20), (60, 84, 4), (80, 80, 1), (224, 224, 5)]
)
def test_the_watermark_is_pillows_area_average_of_its_letters(
    height: int, width: int, fine: int
) -> None:
    """A cell is a whole number of the fine pixels that Pillow then averages: exact."""
    tile = watermark.tile()
    cell = height * fine // 80
    assert cell * 80 == height * fine
    wall = np.kron(np.tile(tile, (4, 6)), np.ones((cell, cell))).astype(np.float32)
    expected = np.asarray(Image.fromarray(wall).reduce(fine))
    room = [int(np.ceil(length * height / 80)) for length in tile.shape]
    starts = (draw_of("watermark").uniform(2, 1).flatten(1).numpy() * room).astype(int)
    covers = cover_of("watermark", 0.3, height, width)
    for cover, (down, across) in zip(covers, starts, strict=True):
        part = expected[down : down + height, across : across + width]
        np.testing.assert_allclose(cover, 0.3 * part, atol=1e-6)
