from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semaudit.images.decoding import DecodeError, decode


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def palette(index: int) -> Image.Image:
    picture = Image.new("P", (4, 4), index)
    picture.putpalette(range(256))
    picture.putpixel((3, 3), 4)
    return picture


def pixel(content: bytes, channels: int = 3) -> object:
    return decode(content, channels).getpixel((0, 0))


def test_real_pictures_decode_as_pillow_does(photos: Path) -> None:
    for path in sorted(photos.glob("imagenet_*"))[:5]:
        with Image.open(path) as expected:
            assert decode(path.read_bytes(), 3).tobytes() == expected.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(Image.new("L", (4, 4), 77)), (77, 77, 77)),
        (encoded(Image.new("1", (4, 4), 1)), (255, 255, 255)),
        (encoded(Image.new("RGB", (4, 4), (9, 8, 7)).convert("P", palette=1)), (9, 8, 7)),
        (encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (encoded(Image.new("RGBA", (4, 4), (200, 0, 0, 0))), (255, 255, 255)),
        (encoded(Image.new("RGBA", (4, 4), (200, 0, 0, 255))), (200, 0, 0)),
        (encoded(Image.new("LA", (4, 4), (0, 0))), (255, 255, 255)),
        (encoded(palette(3), transparency=3), (255, 255, 255)),
        (encoded(palette(3), transparency=4), (9, 10, 11)),
        (encoded(Image.new("L", (4, 4), 5), transparency=5), (255, 255, 255)),
        (encoded(Image.fromarray(np.full((4, 4), 0x80FF, np.uint16))), (128, 128, 128)),
        (encoded(Image.fromarray(np.full((4, 4), 0x80FF, np.int32)), "TIFF"), (128, 128, 128)),
    ],
    ids=[
        "grey",
        "bilevel",
        "palette",
        "cmyk",
        "clear",
        "opaque",
        "grey-alpha",
        "palette-clear",
        "palette-opaque",
        "grey-clear",
        "16",
        "32",
    ],
)
def test_modes(content: bytes, expected: tuple[int, ...]) -> None:
    assert pixel(content) == expected


def test_one_channel() -> None:
    assert pixel(encoded(Image.new("RGB", (4, 4), (255, 255, 255))), 1) == 255
    assert pixel(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0))), 1) == 255


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation(kind: str) -> None:
    picture = Image.new("RGB", (20, 10), "black")
    picture.paste("white", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter to see it upright
    upright = decode(encoded(picture, kind, exif=exif), 3)
    assert upright.size == (10, 20)
    assert upright.getpixel((5, 2)) == (255, 255, 255)
    assert upright.getpixel((5, 17)) == (0, 0, 0)


def test_only_the_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    content = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert pixel(content) == (255, 0, 0)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM"])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_truncated(kind: str, share: float) -> None:
    content = encoded(NOISE, kind)
    with pytest.raises(DecodeError):
        decode(content[: int(share * len(content))], 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"just text", "not a picture"),
        (lambda: b"", "not a picture"),
        (lambda: encoded(Image.new("1", (9600, 9600))), "too large to be decoded safely"),
        (lambda: encoded(Image.new("1", (14000, 14000))), "too large to be decoded safely"),
        (lambda: encoded(Image.new("L", (4000, 2))), "4000 x 2 pixels is a strip"),
        (lambda: encoded(Image.new("F", (4, 4)), "TIFF"), "neither 8 nor 16 bits"),
    ],
    ids=["text", "empty", "bomb-warning", "bomb-error", "strip", "float"],
)
def test_unreadable(content: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(content(), 3)


def test_damaged_exif_warns_no_one() -> None:
    content = encoded(NOISE, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01")
    assert decode(content, 3).size == (64, 64)
