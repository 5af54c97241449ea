"""From whatever a file's pixels are to eight bits a channel, and from transparent to opaque."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Background = tuple[int, int, int]
WHITE: Background = (255, 255, 255)

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF's tags
_WHITE_IS_ZERO, _SIGNED = 0, 2
_FLOAT_SCALES = (1.0, 255.0, 65535.0)
_OVERSHOOT = 0.1  # what resampling may leave below 0, as a share of the full scale
_PIXELS_A_BAND = 2**20  # so that the conversion of a large picture takes little memory


class DecodeError(Exception):
    """A file cannot be read as a picture; the message completes "<path>: "."""


def narrowed(picture: Image.Image) -> Image.Image:
    """Return a loaded picture with eight bits a channel: L, LA, RGB, RGBA, CMYK or LAB.

    Integers keep their upper eight bits. A 32-bit integer picture without a value above 65535 is
    taken for a 16-bit one. Of floats, which have no agreed white, the largest value tells the full
    scale: 1 up to 2 (what lies above 1 is clipped), then 255, then 65535.

    Raises:
        DecodeError: floats that are not finite or lie on no such scale, or negative integers.
    """
    if picture.mode.startswith(("I", "F")):
        return _from_wide(picture)
    if picture.mode in {"CMYK", "LAB"}:
        return picture
    if picture.mode in {"La", "LA"}:
        return _as(picture, "LA")
    # "1" and "L" have a transparent grey, "P" a transparent index or an alpha for each.
    if picture.mode in {"RGBa", "RGBA", "PA"} or "transparency" in picture.info:
        return _as(picture, "RGBA")
    return _as(picture, "L" if picture.mode in {"1", "L"} else "RGB")


def over(picture: Image.Image, background: Background) -> Image.Image:
    """Lay a picture with an alpha channel over a colour; one without is returned as it is."""
    if picture.mode not in {"LA", "RGBA"}:
        return picture
    layer = _as(picture, "RGBA")  # Pillow pastes the grey of LA into the red alone
    base = Image.new("RGB", layer.size, background)
    # Its own mask: `alpha_composite` would take a third picture of this size.
    base.paste(layer, (0, 0), layer)
    return base


def _as(picture: Image.Image, mode: str) -> Image.Image:
    return picture if picture.mode == mode else picture.convert(mode)


def _from_wide(picture: Image.Image) -> Image.Image:
    """Grey with more than eight bits; Pillow's own conversion would clip it to white."""
    narrow = _from_float(picture) if picture.mode == "F" else _from_integer(picture)
    grey = Image.new("L", picture.size)
    clear = picture.info.get("transparency")
    alpha = Image.new("L", picture.size) if isinstance(clear, int) else None
    for top, values in _bands(picture):
        grey.paste(Image.fromarray(narrow(values)), (0, top))
        if alpha is not None:
            opaque = np.where(values == clear, 0, 255).astype(np.uint8)
            alpha.paste(Image.fromarray(opaque), (0, top))
    return grey if alpha is None else Image.merge("LA", (grey, alpha))


def _bands(picture: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the picture's rows some at a time, as (first row, (rows, width) array)."""
    rows = max(1, _PIXELS_A_BAND // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        yield top, np.asarray(picture.crop((0, top, picture.width, bottom)))


def _from_float(picture: Image.Image) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    # Minimum and maximum keep a NaN, unlike Pillow's `getextrema`.
    ranges = np.array([(values.min(), values.max()) for _, values in _bands(picture)])
    low, high = float(ranges[:, 0].min()), float(ranges[:, 1].max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DecodeError("its pixels are floats that are not all finite; save it as 8-bit")
    scales = [scale for scale in _FLOAT_SCALES if high <= (2 if scale == 1 else scale)]
    if not scales or low < -_OVERSHOOT * scales[0]:
        raise DecodeError(
            f"its pixels are floats from {low:.4g} to {high:.4g}, and no full scale is known for "
            "that; save it as 8-bit, or divide by its full scale"
        )
    return lambda values: np.rint(np.clip(values * (255 / scales[0]), 0, 255)).astype(np.uint8)


def _from_integer(picture: Image.Image) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    tags = getattr(picture, "tag_v2", {})
    wide = picture.mode == "I"
    bits = tags.get(_BITS_PER_SAMPLE, (32 if wide else 16,))[0]
    signed = wide and tags.get(_SAMPLE_FORMAT, (1,))[0] == _SIGNED
    # Pillow keeps unsigned 32-bit pixels in signed ones.
    kind = np.uint32 if wide and bits == 32 and not signed else None
    ranges = [
        (int(viewed.min()), int(viewed.max()))
        for viewed in (_viewed(values, kind) for _, values in _bands(picture))
    ]
    if min(low for low, _ in ranges) < 0:
        raise DecodeError("its pixels are negative integers; save it as 8-bit")
    full = bits - signed
    if full > 16 and max(high for _, high in ranges) < 2**16:
        full = 16
    # Pillow inverts grey whose 0 is white up to eight bits only.
    inverted = 0xFF if not wide and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else 0
    return lambda values: (_viewed(values, kind) >> (full - 8)).astype(np.uint8) ^ inverted


def _viewed(values: NDArray[Any], kind: type[np.uint32] | None) -> NDArray[Any]:
    return values if kind is None else np.ascontiguousarray(values).view(kind)


__all__ = ["WHITE", "Background", "DecodeError", "narrowed", "over"]
