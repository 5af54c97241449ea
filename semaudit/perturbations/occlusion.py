"""Something opaque in front of the picture: a patch, threads, a mesh, a frame.

Each is drawn by its cover, the share of every pixel that lies behind it, so that a picture changes
smoothly with the strength and alike at any size. Covers are computed in float32 for any images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import mean, per_image, shorter_side
from semaudit.perturbations.registry import Strength, perturbation

_LINES = 10
_MESHES = 8  # along the shorter side


@perturbation(family="occlusion")
def occlusion(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Cover one square with the image's mean colour; its side is strength x the shorter side.

    The place is drawn, wholly inside. A larger patch of the same draw contains the smaller one, and
    pixels at its edge are covered by their share, so the picture changes smoothly with strength.
    """
    side = _pixels(strength, images)
    height, width = images.shape[-2:]
    across, down = draw.uniform(2, 1, 1).chunk(2, dim=1)
    rows = _cover(down * (height - side), side, height).unsqueeze(-1)
    columns = _cover(across * (width - side), side, width).unsqueeze(-2)
    return _blend(images, mean(images, (2, 3)), rows * columns)


@perturbation(family="occlusion", max_strength=0.05)
def thin_lines(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Lay ten straight hairs across the picture; each is strength x the shorter side wide.

    Each runs through a drawn point in a drawn direction, all black or all white, and keeps its
    middle as it widens. A pixel at a distance d from the middle of a line of width w is covered by
    the overlap of [d - 1/2, d + 1/2] with [-w/2, w/2], which also draws lines thinner than a pixel.
    """
    height, width = images.shape[-2:]
    x, y = _centres(width, images), _centres(height, images).unsqueeze(-1)
    distance = x.new_empty(len(images), 1, height, width)
    nearest = torch.full_like(distance, float("inf"))
    for line in range(_LINES):
        cosine, sine = draw.direction(stream=line)
        across, down = draw.uniform(2, 1, 1, stream=line).chunk(2, dim=1)
        torch.sub((x - across * width) * sine, (y - down * height) * cosine, out=distance).abs_()
        torch.minimum(nearest, distance, out=nearest)
    return blacken_or_whiten(images, _bar(nearest, _pixels(strength, images)), draw)


@perturbation(family="occlusion", max_strength=0.05, smallest_side=24)
def grid(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Hang a square mesh before the picture; its wires are strength x the shorter side wide.

    The wires, all black or all white, stand an eighth of the shorter side apart, from a drawn
    offset, and widen about their middles: the cover is 1 - (1 - strength x 8)**2 of the picture.
    """
    wire, period = _pixels(strength, images), shorter_side(images) / _MESHES
    height, width = images.shape[-2:]
    across, down = (draw.uniform(2, 1, 1) * period).chunk(2, dim=1)
    columns = _bar(_to_nearest(_centres(width, images) - across, period), wire)
    rows = _bar(_to_nearest(_centres(height, images).unsqueeze(-1) - down, period), wire)
    return blacken_or_whiten(images, columns + rows - columns * rows, draw)


@perturbation(family="occlusion", max_strength=0.25)
def border(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Frame the picture in plain black or white; the frame is strength x the shorter side wide.

    It grows inward from the edges over what is there, and covers a pixel at its inner edge by its
    share.
    """
    frame = _pixels(strength, images)
    height, width = images.shape[-2:]
    rows = _cover(frame, height - 2 * frame, height).unsqueeze(-1)
    columns = _cover(frame, width - 2 * frame, width).unsqueeze(-2)
    return blacken_or_whiten(images, 1 - rows * columns, draw)


def blacken_or_whiten(images: Tensor, cover: Tensor, draw: Draw) -> Tensor:
    """Blend images (n, c, h, w) by a cover (n, 1, h, w) in [0, 1] toward black or white, drawn."""
    tone = (draw.sign() + 1).to(images) / 2
    return _blend(images, tone, cover)


def _blend(images: Tensor, tone: Tensor, cover: Tensor) -> Tensor:
    """Move images (n, c, h, w) to a tone (n, c or 1, 1, 1) by a cover (n, 1, h, w) in [0, 1]."""
    # In place where the gradient allows it: allocating costs more than computing.
    return (tone - images).mul_(cover.to(images)).add_(images)


def _pixels(strength: Strength, images: Tensor) -> Tensor:
    """The strength, a fraction of the shorter side, in pixels: (n, 1, 1, 1) float32."""
    return per_image(strength, images).float() * shorter_side(images)


def _centres(size: int, images: Tensor) -> Tensor:
    """Pixel centres along a side, in pixels from its start: (size,) float32."""
    return torch.arange(size, dtype=torch.float32, device=images.device) + 0.5


def _to_nearest(places: Tensor, period: float) -> Tensor:
    """The distance of each place to the nearest multiple of the period."""
    return (places - (places / period).round() * period).abs()


def _bar(distance: Tensor, width: Tensor) -> Tensor:
    """The share of a pixel at a distance from the middle of a bar that the bar covers."""
    return ((width + 1) / 2 - distance).clamp(min=0).minimum(width.clamp(max=1))


def _cover(start: Tensor, length: Tensor, size: int) -> Tensor:
    """The share of each of `size` pixels inside [start, start + length]: (n, 1, size)."""
    first, last = start[..., 0], (start + length)[..., 0]
    edge = start.new_ones(size).cumsum(0) - 1
    return ((edge + 1).minimum(last) - edge.maximum(first)).clamp(0, 1)
