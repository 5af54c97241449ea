from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from semaudit.images import decoding
from semaudit.images.decoding import EXTENSIONS, DecodeError, decode

from .handmade import encoded


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


UPRIGHT = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "MPO"])
def test_exif_orientation(kind: str, orientation: int) -> None:
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :32] = (255, 0, 0)
    stored[:16, 32:] = (0, 255, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(stored), kind, exif=exif)
    seen = np.asarray(decode(content, 3)).astype(int)
    wanted = UPRIGHT[orientation](stored)
    assert seen.shape == wanted.shape
    # Lossy formats bleed over the edges of the blocks.
    assert np.abs(seen - wanted).mean() < (1 if kind in {"PNG", "TIFF"} else 20)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert decode(encoded(Image.new("RGB", (20, 10)), exif=exif), 3).size == (20, 10)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF", "MPO"])
def test_of_several_frames_the_first(kind: str) -> None:
    first, *others = (Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue"))
    content = encoded(first, kind, save_all=True, append_images=others)
    assert np.abs(np.subtract(pixel(content), (255, 0, 0))).max() <= 3


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("JPEG2000", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "jpeg"}),
        ("TIFF", {"tiffinfo": {322: 64, 323: 64}}),
        ("AVIF", {}),
        ("WEBP", {}),
        ("ICO", {"sizes": [(64, 64)]}),
        ("BMP", {}),
        ("PPM", {}),
        ("DIB", {}),
    ],
)
def test_formats(kind: str, options: dict[str, object]) -> None:
    ramp = np.add.outer(np.arange(64), np.arange(64))
    picture = np.stack([ramp, ramp[::-1], 127 - ramp], -1).clip(0, 255).astype(np.uint8)
    seen = np.asarray(decode(encoded(Image.fromarray(picture), kind, **options), 3))
    assert np.abs(seen.astype(int) - picture).mean() < 3


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n",
        b"\xd7\xcd\xc6\x9a" + bytes(200),
        b"GRIB" + bytes(3) + b"\1" + bytes(200),
        b"\x89HDF\r\n\x1a\n" + bytes(200),
    ],
    ids=["eps", "wmf", "grib", "hdf5"],
)
def test_what_runs_other_programs_is_not_opened(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    with pytest.raises(DecodeError, match="not a picture in a format"):
        decode(content, 3)


def test_kinds_that_cannot_be_read_are_named() -> None:
    with pytest.raises(DecodeError, match="a HEIC picture, which Pillow does not read; convert"):
        decode(b"\0\0\0\x18ftypheic" + bytes(100), 3)


def test_every_extension_belongs_to_a_format_that_is_opened() -> None:
    Image.init()
    named = {extension: Image.EXTENSION[extension] for extension in EXTENSIONS}
    assert set(named.values()) - {"MPO"} == set(decoding._formats())  # MPO is read as JPEG
    assert tuple(sorted(EXTENSIONS)) == EXTENSIONS


def test_nothing_lets_cut_pictures_through() -> None:
    import timm.data  # noqa: F401

    assert not ImageFile.LOAD_TRUNCATED_IMAGES


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM", "AVIF", "GIF"])
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
    ],
    ids=["text", "empty", "bomb-warning", "bomb-error"],
)
def test_unreadable(content: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(content(), 3)


def test_damaged_exif_warns_no_one() -> None:
    content = encoded(NOISE, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01")
    assert decode(content, 3).size == (64, 64)
