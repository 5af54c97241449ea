"""Words across the picture, drawn from letters of its own: no font of the system is read."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.occlusion import blacken_or_whiten
from semaudit.perturbations.pixels import per_image
from semaudit.perturbations.registry import Strength, perturbation

_CELLS = 80  # along the shorter side

_LETTERS = (
    ".###...###..#...#.####..#.....#####",
    "#...#.#...#.##.##.#...#.#.....#....",
    "#.....#...#.#.#.#.#...#.#.....#....",
    ".###..#####.#.#.#.####..#.....####.",
    "....#.#...#.#...#.#.....#.....#....",
    "#...#.#...#.#...#.#.....#.....#....",
    ".###..#...#.#...#.#.....#####.#####",
)
_PITCH_DOWN, _PITCH_ACROSS = 16, 40


@perturbation(family="occlusion")
def watermark(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Print the word SAMPLE all over the picture, black or white; the strength is its opacity.

    Letters of 5 x 7 square cells, a cell 1/80 of the shorter side, in lines a fifth of that side
    apart, every other line shifted by half a word. The whole print starts at a drawn place, in
    whole pixels. A pixel takes the share of its area that is inked.
    """
    height, width = images.shape[-2:]
    sheet = _sheet(height, width, images.device)
    start = draw.uniform(2, 1)
    down = (start[:, 0] * (len(sheet) - height)).long()
    across = (start[:, 1] * (sheet.shape[1] - width)).long()
    rows = down + torch.arange(height, device=images.device)
    columns = across + torch.arange(width, device=images.device)
    ink = sheet[rows[:, None, :, None], columns[:, None, None, :]]
    return blacken_or_whiten(images, ink * per_image(strength, images).float(), draw)


@lru_cache(maxsize=16)
def _sheet(height: int, width: int, device: torch.device) -> Tensor:
    """The inked share of every pixel of a picture and one period more each way: float32."""
    cell = min(height, width) / _CELLS
    letters = tile()
    down, across = (
        _shares(size + int(np.ceil(period * cell)), cell)
        for size, period in zip((height, width), letters.shape, strict=True)
    )
    rows = np.arange(down.shape[1]) % len(letters)
    columns = np.arange(across.shape[1]) % letters.shape[1]
    inked = down @ letters[np.ix_(rows, columns)] @ across.T
    # A tensor born in inference mode could not be saved for a gradient later.
    with torch.inference_mode(False):
        return torch.from_numpy(inked).float().to(device)


def _shares(pixels: int, cell: float) -> np.ndarray:
    """How much of each pixel each cell covers, both counted from one end: (pixels, cells)."""
    starts = np.arange(pixels)[:, None]
    edges = np.arange(int(np.ceil(pixels / cell)) + 1) * cell
    overlap = np.minimum(starts + 1, edges[1:]) - np.maximum(starts, edges[:-1])
    return np.asarray(overlap.clip(0, 1))


def tile() -> np.ndarray:
    """Return one period of the print, 1 where a cell is inked: (32, 40) float64."""
    word = np.array([[cell == "#" for cell in row] for row in _LETTERS], dtype=np.float64)
    line = np.zeros((_PITCH_DOWN, _PITCH_ACROSS))
    line[: word.shape[0], : word.shape[1]] = word
    return np.vstack((line, np.roll(line, _PITCH_ACROSS // 2, axis=1)))
