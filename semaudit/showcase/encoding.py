"""Pixels as small files."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
from PIL import Image, features

from semaudit.inspecting.case import Array
from semaudit.showcase.index import File, Role

LONGEST = 256
"""Pixels of the longer side: what a report has room for."""

QUALITY, QUALITY_OF_MAPS = 80, 55
"""Of pictures; of what is drawn of them, which is noise for the most part and grows large."""

_MAGMA = np.array(
    [
        *((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122)),
        *((229, 80, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191)),
    ]
)
"""Nine even stops of the colour map magma: dark to light also in grey, for any eye."""


def coloured(values: Array) -> Array:
    """(h, w) in [0, 1] as colours (h, w, 3) in [0, 1]."""
    places = values.clip(0, 1) * (len(_MAGMA) - 1)
    stops = np.arange(len(_MAGMA))
    return np.stack([np.interp(places, stops, _MAGMA[:, k]) for k in range(3)], -1) / 255


def encoded(values: Array, number: int, role: Role) -> tuple[File, bytes]:
    """A file of pixels (h, w) or (h, w, 3) in [0, 1], and its bytes."""
    picture = Image.fromarray((values * 255).round().astype(np.uint8))
    share = LONGEST / max(picture.size)
    if share < 1:
        width, height = (max(1, round(share * side)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    ending = "webp" if features.check("webp") else "png"
    quality = QUALITY if role in ("clean", "changed") else QUALITY_OF_MAPS
    # Few pixels are shown enlarged, where lossy compression would be seen.
    small = max(picture.size) <= LONGEST // 4
    picture.save(buffer, format=ending, quality=quality, lossless=small)
    content = buffer.getvalue()
    file = File(
        name=f"{number:03d}-{role}.{ending}",
        sha256=hashlib.sha256(content).hexdigest(),
        width=picture.width,
        height=picture.height,
    )
    return file, content
