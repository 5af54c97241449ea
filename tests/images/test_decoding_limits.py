"""Pictures of any shape and size: read, read smaller, or refused, within a gigabyte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semaudit.images import decoding
from semaudit.images.decoding import DecodeError, decode

from .handmade import encoded, rgb_profile, srgb_curve


def test_what_a_decoder_takes_sets_the_limit() -> None:
    content = encoded(Image.new("L", (8000, 8000)), "WEBP", method=0)
    with pytest.raises(DecodeError, match="8000 x 8000 pixels, and at most 52 million of a WEBP"):
        decode(content, 3)
    assert decode(encoded(Image.new("L", (8000, 8000))), 1).size == (8000, 8000)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("size", [(20_000, 20), (1, 20_000), (20_000, 1), (1, 1)])
def test_strips_and_single_pixels(kind: str, size: tuple[int, int]) -> None:
    picture = decode(encoded(Image.new("L", size, 77), kind), 3)
    assert picture.size == size
    assert picture.getpixel((size[0] - 1, size[1] - 1)) == (77, 77, 77)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_too_large_for_memory_is_read_smaller(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.add.outer(np.arange(400), np.arange(600)) // 4
    picture = Image.fromarray(ramp.astype(np.uint8)).convert(mode)
    content = encoded(picture, "JPEG", quality=95)
    whole = decode(content, 3)
    monkeypatch.setattr(decoding, "_BUDGET", 10 * 400 * 600 // 15)
    small = decode(content, 3)
    assert small.size == (150, 100)
    assert np.abs(np.subtract(small, whole.reduce(4), dtype=float)).mean() < 1
    with pytest.raises(DecodeError, match="600 x 400 pixels"):
        decode(encoded(picture, "JPEG", progressive=True), 3)
    monkeypatch.setattr(decoding, "_BUDGET", 10 * 400 * 600 // 80)
    with pytest.raises(DecodeError, match="600 x 400 pixels"):
        decode(content, 3)


def test_a_progressive_jpeg_of_endless_scans() -> None:
    content = encoded(Image.new("L", (4000, 4000), 128), "JPEG", progressive=True)
    last, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    assert decode(content[:end] + 20 * content[last:end] + content[end:], 1).size == (4000, 4000)
    with pytest.raises(DecodeError, match=r"takes too long to decode: \d+ scans"):
        decode(content[:end] + 1000 * content[last:end] + content[end:], 1)


MEASURED = """
import sys
from pathlib import Path
from semaudit.images.decoding import decode
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
content = Path(sys.argv[1]).read_bytes()
before = peak()
print(*decode(content, 3).size, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("kind", "mode", "side", "read", "options"),
    [
        ("JPEG", "L", 20_000, 5_000, {}),
        ("PNG", "RGBA", 9_400, 9_400, {"compress_level": 1}),
        ("PNG", "P", 9_400, 9_400, {"transparency": 3}),
        ("JPEG", "RGB", 9_400, 9_400, {"progressive": True, "subsampling": 0, "icc": True}),
        ("WEBP", "RGBA", 7_200, 7_200, {"method": 0, "quality": 10}),
        ("AVIF", "RGB", 8_600, 8_600, {"speed": 10}),
        ("JPEG2000", "RGBA", 5_900, 5_900, {"quality_layers": [100]}),
        ("TIFF", "F", 9_400, 9_400, {}),
    ],
)
def test_the_largest_pictures_take_less_than_a_gigabyte(
    tmp_path: Path, kind: str, mode: str, side: int, read: int, options: dict[str, object]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turning takes a second picture
    if options.pop("icc", False):
        options["icc_profile"] = rgb_profile("p3", srgb_curve())
    picture = Image.linear_gradient("L").resize((side, side)).convert(mode)
    if mode == "F":
        picture = picture.point(lambda value: value * (1 / 255))
    picture.save(tmp_path / "large", kind, exif=exif, **options)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "large")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    width, height, megabytes = map(float, done.stdout.split())
    assert (width, height) == (read, read)
    assert megabytes < 1024
