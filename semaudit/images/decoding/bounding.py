"""Strips: pictures so long that resizing them for a model would take gigabytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from semaudit.models.preprocessing import Preprocessing

_MOST_PIXELS = 2**24  # of a resized picture: 64 MB


def bounded(picture: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """Return a picture that timm's evaluation transform turns into the same input, in less memory.

    Most are returned as they are. Of a strip, the ``center`` crop keeps a small part of the long
    side: that part alone is resized, the way the whole would have been, so that the transform
    finds its resize done and only crops. Where ``border`` would round the short side to no pixel
    at all, it becomes one pixel.
    """
    _, *input_sides = preprocessing.input_size
    targets = [math.floor(side / preprocessing.crop_pct) for side in input_sides]
    sides = (picture.height, picture.width)
    if preprocessing.crop_mode == "border":
        resized = _longest_fits(sides, targets)
        spans = [(0, max(1, length)) for length in resized]
        fine = min(resized) > 0
    elif preprocessing.crop_mode == "center":
        resized = _shortest_fits(sides, targets)
        spans = [_kept(*axis) for axis in zip(resized, targets, input_sides, strict=True)]
        fine = resized[0] * resized[1] <= _MOST_PIXELS
    else:
        return picture
    if fine:
        return picture
    (top, bottom), (left, right) = (
        (_scaled(start, side, length), _scaled(start + kept, side, length))
        for (start, kept), side, length in zip(spans, sides, resized, strict=True)
    )
    (_, height), (_, width) = spans
    resample = Image.Resampling[preprocessing.interpolation.upper()]
    return picture.resize((width, height), resample, (left, top, right, bottom))


def _shortest_fits(sides: tuple[int, int], targets: list[int]) -> tuple[int, int]:
    """Height and width when the side that is shortest for its target meets it."""
    if targets[0] != targets[1]:  # timm's own, which rounds; otherwise torchvision's, which cuts
        ratio = min(side / target for side, target in zip(sides, targets, strict=True))
        return round(sides[0] / ratio), round(sides[1] / ratio)
    short, target = min(sides), targets[0]
    height, width = (target if side == short else int(target * side / short) for side in sides)
    return height, width


def _longest_fits(sides: tuple[int, int], targets: list[int]) -> tuple[int, int]:
    ratio = max(side / target for side, target in zip(sides, targets, strict=True))
    return round(sides[0] / ratio), round(sides[1] / ratio)


def _kept(length: int, target: int, crop: int) -> tuple[int, int]:
    """Start and length of the part of a resized side that holds the centre crop.

    It is no shorter than the target, so that it is not resized again, and longer than the crop by
    an even number, so that its own centre crop is the whole's.
    """
    margin = math.ceil((target - crop) / 2)
    start = round((length - crop) / 2) - margin
    return (start, crop + 2 * margin) if 0 < start < length - crop - 2 * margin else (0, length)


def _scaled(position: int, side: int, length: int) -> float:
    """A position on a resized side, on the side as it was; its end exactly."""
    return float(min(side, position * side / max(1, length)))


__all__ = ["bounded"]
