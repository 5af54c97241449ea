"""From the bytes of a file to a picture as a person sees it, with the channels of a model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from io import BytesIO

from PIL import ExifTags, Image, JpegImagePlugin, UnidentifiedImageError

from semaudit.images.decoding.colour import to_srgb
from semaudit.images.decoding.pixels import WHITE, Background, DecodeError, narrowed, over
from semaudit.images.decoding.quiet import silenced

EXTENSIONS = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc"),
    *(".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pfm", ".pgm", ".png", ".pnm"),
    *(".ppm", ".tif", ".tiff", ".webp"),
)
"""What files of the formats below are called; a file is read by its content, not by its name."""

# Pillow opens three dozen more, some of which run other programs (EPS) or were never hardened.
_FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "ICO"),
)
_UNREADABLE_KINDS = {
    b"avif": "an AVIF picture, which takes Pillow 11.3 or later: upgrade it, or convert the file",
    b"heic": "a HEIC picture, which Pillow does not read; convert it to JPEG or PNG",
    b"jxl ": "a JPEG XL picture, which Pillow does not read; convert it to JPEG or PNG",
}

_BUDGET = 900_000_000  # bytes of memory that one picture may take
_BYTES_A_PIXEL = {"JPEG2000": 25, "WEBP": 17, "AVIF": 12}  # measured: what their decoders take
_OTHERS_BYTES = 10  # a picture, its conversion, and a progressive JPEG's coefficients
_MOST_JPEG_PIXELS = 2**30  # of one that is read at a reduced scale: seconds, not minutes
_MOST_SCANNED_PIXELS = 2**32  # a few bytes make a progressive JPEG go over all its pixels again
_REDUCTIONS = (2, 4, 8)

# Without a handler Python itself would print what Pillow logs; whoever sets up logging sees it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(content: bytes, channels: int, background: Background = WHITE) -> Image.Image:
    """Decode a file's content to mode RGB (3 channels) or L (1 channel), as a person sees it.

    See `as_seen` for what that means; of several frames or pages the first is taken. A JPEG too
    large for memory is read at 1/2, 1/4 or 1/8 of its size.

    Raises:
        DecodeError: not a picture, cut short, damaged, or too large to be decoded safely.
        MemoryError: even so, memory ran out.
    """
    with _refusing():
        return as_seen(_open(content), channels, background)


def as_seen(picture: Image.Image, channels: int, background: Background = WHITE) -> Image.Image:
    """Turn an opened picture into mode RGB (3 channels) or L (1 channel), as a person sees it.

    More than eight bits a channel become eight (see `narrowed`), the EXIF orientation is applied,
    colours are brought from the embedded ICC profile to sRGB (see `to_srgb`), and transparency
    lies over the background.

    Raises:
        DecodeError: cut short, damaged, or its pixels are numbers without a known full scale.
        MemoryError: memory ran out.
    """
    with _refusing():
        with silenced() if picture.format == "TIFF" else nullcontext():  # libtiff prints
            picture.load()
        turn = _TURNS.get(_orientation(picture))
        profile = picture.info.get("icc_profile")
        # One name, so that no step holds more than its own two pictures in memory.
        picture = narrowed(picture)
        picture = picture if turn is None else picture.transpose(turn)
        picture = to_srgb(picture, profile)
        picture = over(picture, background)
        mode = "L" if channels == 1 else "RGB"
        return picture if picture.mode == mode else picture.convert(mode)


@contextmanager
def _refusing() -> Iterator[None]:
    """Let no warning out, and no error but `DecodeError` and `MemoryError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (DecodeError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DecodeError(f"too large to be decoded safely: {error}; save it smaller") from error
    # Pillow's decoders raise a dozen kinds, from struct.error to ZeroDivisionError.
    except Exception as error:
        raise DecodeError(f"damaged or cut short: {error or type(error).__name__}") from error


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()  # a format that this Pillow was built without would be a KeyError
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _open(content: bytes) -> Image.Image:
    picture = _opened(content)
    _fit(picture)
    if picture.format == "PNG" and "transparency" in picture.info:
        picture.info["transparency"] = _clear_colour(picture, content[24])
    return picture


def _opened(content: bytes) -> Image.Image:
    if content.startswith(b"\xff\xd8\xff"):
        # Not through `Image.open`, which refuses by size what can be read at a reduced scale.
        jpeg = JpegImagePlugin.JpegImageFile(BytesIO(content))
        _check_scans(jpeg, content)
        return jpeg
    try:
        return Image.open(BytesIO(content), formats=_formats())
    except UnidentifiedImageError as error:
        kind = _UNREADABLE_KINDS.get(content[8:12] if content[4:8] == b"ftyp" else content[4:8])
        raise DecodeError(kind or "not a picture in a format that can be read") from error


def _fit(picture: Image.Image) -> None:
    """Set a large JPEG to be read at a reduced scale; refuse what still takes too much memory."""
    most = _BUDGET // _BYTES_A_PIXEL.get(picture.format or "", _OTHERS_BYTES)
    width, height = picture.size
    if width * height <= most:
        return
    # A progressive one is kept in memory in full, whatever the scale.
    reducible = isinstance(picture, JpegImagePlugin.JpegImageFile)
    if reducible and "progressive" not in picture.info and width * height <= _MOST_JPEG_PIXELS:
        scales = (scale for scale in _REDUCTIONS if width * height <= most * scale**2)
        if scale := next(scales, None):
            picture.draft(None, (max(1, width // scale), max(1, height // scale)))
    if picture.width * picture.height > most:
        raise DecodeError(
            f"too large to be decoded safely: {width} x {height} pixels, and at most "
            f"{most // 10**6} million of a {picture.format} are decoded; save it smaller"
        )


def _check_scans(picture: Image.Image, content: bytes) -> None:
    if "progressive" not in picture.info:
        return
    scans = content.count(b"\xff\xda")
    if picture.width * picture.height * scans > _MOST_SCANNED_PIXELS:
        raise DecodeError(
            f"takes too long to decode: {scans} scans of {picture.width} x {picture.height} "
            "pixels; save it as a baseline JPEG"
        )


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; upright where damage leaves none."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    # Parsing EXIF raises many kinds, and the pixels are none the worse.
    except Exception:
        return 1


def _clear_colour(picture: Image.Image, depth: int) -> object:
    """A PNG's transparent colour in the range of the pixels, which Pillow brings to eight bits."""
    clear: object = picture.info["transparency"]
    if isinstance(clear, int) and picture.mode == "L" and depth < 8:
        return clear * 255 // (2**depth - 1)
    if isinstance(clear, tuple) and depth == 16:
        return tuple(value >> 8 for value in clear)
    return clear


__all__ = ["EXTENSIONS", "WHITE", "Background", "DecodeError", "as_seen", "decode"]
