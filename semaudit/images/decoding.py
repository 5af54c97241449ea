"""From the bytes of a file to a picture with the channels that a model takes."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_MAX_ASPECT = 200  # resizing the short edge of a longer strip takes gigabytes


class DecodeError(Exception):
    """A file cannot be read as a picture; the message completes "<path>: "."""


def decode(content: bytes, channels: int) -> Image.Image:
    """Decode a file's content to mode RGB (3 channels) or L (1 channel), upright.

    The EXIF orientation is applied, transparency lies over white, 16-bit grey keeps its upper
    eight bits, and of several frames the first is taken.

    Raises:
        DecodeError: not a picture, cut short, damaged, or too large to be decoded safely.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content)) as picture:
                _check_shape(picture)
                return _flatten(ImageOps.exif_transpose(picture), "L" if channels == 1 else "RGB")
    except (DecodeError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise DecodeError("not a picture in a format that Pillow knows") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DecodeError(f"too large to be decoded safely: {error}") from error
    # Pillow's decoders raise a dozen kinds, from struct.error to ZeroDivisionError.
    except Exception as error:
        raise DecodeError(f"damaged or cut short: {error or type(error).__name__}") from error


def _check_shape(picture: Image.Image) -> None:
    short, long = sorted(picture.size)
    if long > _MAX_ASPECT * max(short, 1):
        raise DecodeError(
            f"{picture.width} x {picture.height} pixels is a strip, not a picture; crop it"
        )


def _flatten(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return _from_wide(picture).convert(mode)
    if "transparency" in picture.info or picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"}:
        return _over_white(picture).convert(mode)
    return picture.convert(mode)


def _from_wide(picture: Image.Image) -> Image.Image:
    """Grey with more than eight bits; Pillow's own conversion would clip it to white."""
    values = np.asarray(picture)
    if picture.mode == "F" or values.min() < 0 or values.max() > 0xFFFF:
        raise DecodeError("its pixels are neither 8 nor 16 bits wide; save it as 8-bit")
    return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode == "La":  # Pillow unmultiplies grey in two steps only
        picture = picture.convert("LA")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
