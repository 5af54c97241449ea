"""From the colours that a picture's ICC profile means to sRGB, which models are trained on."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_GRID = np.linspace(0, 255, 16).astype(np.uint8)
# Profiles of sRGB by several makers differ by this much from each other, through rounding.
_SAME = 2


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a picture of mode L, LA, RGB, RGBA, CMYK or LAB in sRGB (L, LA, RGB or RGBA).

    The pixels stay as they are, bit for bit, without a profile and under one that means sRGB. A
    profile that is broken, or meant for another kind of picture, is ignored. CMYK without one
    becomes RGB by the plain formula (255 - ink) (255 - black) / 255. An RGB picture may be changed
    in place.
    """
    if picture.mode == "LAB":
        return ImageCms.applyTransform(picture, _from_lab()) or picture
    if picture.mode == "LA":
        grey, alpha = picture.split()
        converted = to_srgb(grey, profile)
        if converted is grey:
            return picture
        converted.putalpha(alpha)
        return converted
    transform = _transform(profile, picture.mode) if profile else None
    if transform is None:
        return picture.convert("RGB") if picture.mode == "CMYK" else picture
    in_place = picture.mode == transform.output_mode
    return ImageCms.applyTransform(picture, transform, inPlace=in_place) or picture


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the way from a profile to sRGB, or None where there is none or nothing to do."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = _to_srgb(source, mode, "RGBA" if mode == "RGBA" else "RGB")
        return None if mode != "CMYK" and _keeps_colours(transform, mode) else transform
    # Pillow raises several kinds, and a bad profile is no reason to lose the picture.
    except Exception:
        return None


def _keeps_colours(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a profile means sRGB: told by what it does to colours, not by its name."""
    grid = _greys() if mode == "L" else _colours()
    before = Image.fromarray(grid).convert(mode)
    after = ImageCms.applyTransform(before, transform)
    shown = np.asarray((after or before).convert("RGB")).astype(int)
    return bool(np.abs(shown - np.asarray(before.convert("RGB"))).max() <= _SAME)


def _greys() -> NDArray[np.uint8]:
    return np.arange(256, dtype=np.uint8)[None]


def _colours() -> NDArray[np.uint8]:
    grid = np.stack(np.meshgrid(_GRID, _GRID, _GRID), -1).reshape(1, -1, 3)
    # A curve may part from sRGB's in the shadows alone.
    return np.concatenate([grid, np.repeat(_greys()[..., None], 3, -1)], 1)


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return _to_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB", "RGB")


def _to_srgb(
    source: ImageCms.ImageCmsProfile, mode: str, to_mode: str
) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(
        source,
        srgb,
        mode,
        to_mode,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert isinstance(transform, ImageCms.ImageCmsTransform)
    return transform


__all__ = ["to_srgb"]
