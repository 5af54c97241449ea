"""Damaged pictures: each is read or refused, in bounded time and memory, and in silence.

Run as a script it is the child: ``test_picture_fuzz.py COUNT SEED`` prints what came of them.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SECONDS = 10.0
MEGABYTES = 1024.0
FRAMES: dict[str, object] = {}  # stands for two more frames

Mutation = Callable[[random.Random, bytearray, bytes], bytearray]


def seeds() -> list[tuple[str, bytes]]:
    """Small pictures of every format and of many modes."""
    ramp = np.add.outer(np.arange(48), np.arange(64))
    colour = np.stack([ramp * 2, 255 - ramp * 2, ramp[::-1] * 2], -1).astype(np.uint8)
    rgb = Image.fromarray(colour)
    rgba, grey, wide = rgb.convert("RGBA"), rgb.convert("L"), (ramp * 500).astype(np.uint16)
    rgba.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    made: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("JPEG", rgb, {"exif": exif, "icc_profile": profile()}),
        ("JPEG", rgb, {"progressive": True}),
        ("JPEG", rgb.convert("CMYK"), {}),
        ("JPEG", grey, {"icc_profile": profile()}),
        ("MPO", rgb, FRAMES),
        ("PNG", rgb, {"icc_profile": profile(), "exif": exif}),
        ("PNG", rgba, {}),
        ("PNG", rgb.quantize(16), {"transparency": bytes(range(0, 256, 16))}),
        ("PNG", Image.fromarray(wide), {"transparency": 500}),
        ("PNG", rgb, FRAMES),
        ("GIF", rgb, FRAMES),
        ("BMP", rgb, {}),
        ("BMP", rgb.quantize(16), {}),
        ("PPM", rgb, {}),
        ("PPM", Image.fromarray(wide), {}),
        ("TIFF", rgb, {"exif": exif, "icc_profile": profile()}),
        ("TIFF", rgba, {"compression": "tiff_lzw"}),
        ("TIFF", rgb.convert("YCbCr"), {}),
        ("TIFF", Image.fromarray(ramp.astype(np.float32) / 200), {}),
        ("TIFF", Image.fromarray(wide.astype(np.int32)), {"compression": "tiff_adobe_deflate"}),
        ("TIFF", rgb.convert("CMYK"), {"compression": "packbits"}),
        ("TIFF", rgb, {"compression": "jpeg"}),
        ("TIFF", rgb, FRAMES),
        ("WEBP", rgba, {"exif": exif, "icc_profile": profile()}),
        ("WEBP", rgb, FRAMES),
        ("AVIF", rgba, {"exif": exif, "icc_profile": profile(), "speed": 10}),
        ("JPEG2000", rgb, {}),
        ("JPEG2000", Image.fromarray(wide), {}),
        ("ICO", rgba, {"sizes": [(32, 32), (16, 16)]}),
    ]
    contents = []
    for kind, picture, options in made:
        if options is FRAMES:
            # Anew each time: saving leaves settings in the pictures.
            options = {"save_all": True, "append_images": [picture.rotate(90), picture.rotate(180)]}
        buffer = BytesIO()
        picture.copy().save(buffer, kind, **options)
        contents.append((kind, buffer.getvalue()))
    return contents


def profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def flip_bits(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def edit_header(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(min(len(data), rng.choice((32, 64, 512))))
        value = rng.choice((b"\0", b"\xff", b"\xff\xff", b"\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
        data[at : at + len(value)] = value
    return data


def cut(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    return data[: rng.randrange(len(data))]


def splice(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    at, start = rng.randrange(len(data)), rng.randrange(len(other))
    return data[:at] + other[start : start + rng.randrange(1, len(other) + 1)]


def repeat_part(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    start = rng.randrange(len(data))
    part = data[start : start + rng.randrange(1, 200)]
    return data[:start] + part * rng.choice((2, 3, 50)) + data[start:]


def remove_part(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    start = rng.randrange(len(data))
    del data[start : start + rng.randrange(1, 64)]
    return data


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bits, edit_header, edit_header, cut, splice, repeat_part, remove_part),
)


def mutants(count: int, seed: int) -> list[tuple[str, bytes]]:
    rng, pool = random.Random(seed), seeds()
    made = []
    for index in range(count):
        kind, content = pool[index % len(pool)]
        data = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 2))):
            # A cut may have left nothing.
            data = rng.choice(MUTATIONS)(rng, data or bytearray(b"\0"), rng.choice(pool)[1])
        made.append((kind, bytes(data)))
    return made


def peak() -> float:
    """The most memory that this process held so far, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def child(count: int, seed: int) -> None:
    from semaudit.images.decoding import DecodeError, decode

    inputs = mutants(count, seed)
    outcomes: Counter[str] = Counter()
    slowest, before = 0.0, peak()
    warnings.simplefilter("error")
    for index, (kind, content) in enumerate(inputs):
        print(index, kind, flush=True)  # what was at work when the process died
        started = time.perf_counter()
        try:
            picture = decode(content, 3 if index % 4 else 1)
        except DecodeError as error:
            outcomes["refused" if str(error).isprintable() else f"says {error!a}"] += 1
        else:
            assert picture.mode == ("RGB" if index % 4 else "L")
            picture.getpixel((picture.width - 1, picture.height - 1))
            outcomes["read"] += 1
        slowest = max(slowest, time.perf_counter() - started)
    print(json.dumps({**outcomes, "slowest": slowest, "grown": peak() - before}))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("count", "seed"), [(250, 0), pytest.param(2_000, 1, marks=pytest.mark.slow)]
)
def test_damaged_pictures_are_read_or_refused(count: int, seed: int) -> None:
    command = [sys.executable, __file__, str(count), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + count * SECONDS)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-1:], done.stderr)
    assert done.stderr == ""
    outcome = json.loads(lines[-1])
    assert outcome["read"] + outcome["refused"] == count
    assert outcome["read"] > count / 10
    assert outcome["refused"] > count / 4
    assert outcome["slowest"] < SECONDS
    assert outcome["grown"] < MEGABYTES


if __name__ == "__main__":
    child(int(sys.argv[1]), int(sys.argv[2]))
