"""Depths, inks and transparency, against closed forms."""

from __future__ import annotations

import numpy as np
import PIL
import pytest
from PIL import Image

from semaudit.images.decoding import DecodeError, decode, pixels

from .handmade import encoded, png, tiff, ycck_jpeg

RNG = np.random.default_rng(0)
BACKGROUND = (9, 80, 170)


def shown(content: bytes, channels: int = 3, background: tuple[int, int, int] = BACKGROUND):
    return np.asarray(decode(content, channels, background)).astype(int)


def grey_row(*values: float, dtype: str) -> np.ndarray:
    return np.array(values, dtype).reshape(1, -1, 1)


SIXTEEN = (0, 255, 256, 0x8000, 0x1234, 0xFFFF)
EIGHT_OF_SIXTEEN = [0, 0, 1, 0x80, 0x12, 0xFF]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("dtype", "kind", "values", "wanted"),
    [
        ("u2", 1, SIXTEEN, EIGHT_OF_SIXTEEN),
        ("i2", 2, (0, 0x100, 0x4000, 0x7FFF), [0, 2, 0x80, 0xFF]),
        ("i4", 2, (0, 1 << 24, 1 << 30, 2**31 - 1), [0, 2, 0x80, 0xFF]),
        ("i4", 2, (0, 0x80FF, 0xFFFF), [0, 0x80, 0xFF]),
        ("f4", 3, (0, 0.25, 0.5, 1), [0, 64, 128, 255]),
        ("f4", 3, (-0.01, 0.5, 1.01), [0, 128, 255]),
        ("f4", 3, (0, 64, 128.4, 255), [0, 64, 128, 255]),
        ("f4", 3, (0, 257, 65535), [0, 1, 255]),
    ],
    ids=["u16", "i16", "i32", "i32-as-16", "unit", "overshoot", "bytes", "words"],
)
def test_wide_grey(order: str, dtype: str, kind: int, values: tuple, wanted: list[int]) -> None:
    content = tiff(grey_row(*values, dtype=order + dtype), 1, kind=kind)
    assert shown(content, 1).tolist() == [wanted]
    assert (shown(content, 3) == np.array(wanted)[:, None]).all()


def test_unsigned_32_bit_grey() -> None:
    content = tiff(grey_row(0, 1 << 24, 1 << 31, 2**32 - 1, dtype="<u4"), 1)
    assert shown(content, 1).tolist() == [[0, 1, 128, 255]]


def test_twelve_bit_grey() -> None:
    values = (0, 15, 16, 0x800, 0x123, 0xFFF)
    packed = int("".join(f"{value:012b}" for value in values), 2).to_bytes(9, "big")
    content = tiff(grey_row(*values, dtype="<u2"), 1, bits=12, raw=packed)
    assert shown(content, 1).tolist() == [[0, 0, 1, 128, 0x12, 255]]


@pytest.mark.parametrize("dtype", ["u1", "<u2"])
def test_grey_whose_zero_is_white(dtype: str) -> None:
    full = np.iinfo(dtype).max
    assert shown(tiff(grey_row(0, full, dtype=dtype), 0), 1).tolist() == [[255, 0]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_keeps_the_upper_eight(order: str, channels: int) -> None:
    values = RNG.integers(0, 2**16, (5, 7, channels)).astype(order + "u2")
    values[..., 3:] = 0xFFFF
    extra = 2 if channels == 4 else None
    assert np.array_equal(shown(tiff(values, 2, extra=extra)), values[..., :3] >> 8)
    rows = [row.astype(">u2").tobytes() for row in values]
    assert np.array_equal(shown(png(7, 16, 2 if channels == 3 else 6, rows)), values[..., :3] >> 8)


def test_portable_maps_of_any_depth() -> None:
    assert shown(b"P5 3 1 65535\n\0\xff\x80\0\xff\xff", 1).tolist() == [[0, 128, 255]]
    assert shown(b"P5 3 1 1000\n\0\0\x01\xf4\x03\xe8", 1).tolist() == [[0, 128, 255]]
    floats = np.array([0.5, 1], "<f4").tobytes()
    assert shown(b"Pf\n2 1\n-1.0\n" + floats, 1).tolist() == [[128, 255]]


def test_a_large_wide_picture_is_converted_band_by_band(monkeypatch: pytest.MonkeyPatch) -> None:
    values = RNG.integers(0, 2**16, (23, 7), dtype=np.uint16)
    monkeypatch.setattr(pixels, "_PIXELS_A_BAND", 21)
    assert np.array_equal(shown(encoded(Image.fromarray(values)), 1), values >> 8)
    floats = RNG.random((23, 7), dtype=np.float32)
    content = encoded(Image.fromarray(floats), "TIFF")
    assert np.array_equal(shown(content, 1), np.rint(floats * 255).astype(int))


@pytest.mark.parametrize(
    ("values", "kind", "dtype", "reason"),
    [
        ((0, np.nan), 3, "<f4", "not all finite"),
        ((0, np.inf), 3, "<f4", "not all finite"),
        ((-1, 1), 3, "<f4", "floats from -1 to 1, and no full scale"),
        ((0, 1e6), 3, "<f4", "floats from 0 to 1e"),
        ((-3, 7), 2, "<i2", "negative integers"),
    ],
)
def test_numbers_without_a_full_scale(values, kind, dtype, reason) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(tiff(grey_row(*values, dtype=dtype), 1, kind=kind), 3)


def inks_as_seen(inks: np.ndarray) -> np.ndarray:
    free = 255.0 - inks.astype(float)
    return free[..., :3] * free[..., 3:] / 255


def test_cmyk_is_the_plain_formula() -> None:
    inks = RNG.integers(0, 256, (8, 8, 4), dtype=np.uint8)
    assert np.abs(shown(tiff(inks, 5)) - inks_as_seen(inks)).max() <= 1


@pytest.mark.parametrize("kind", ["cmyk", "ycck"])
def test_jpegs_of_inks(kind: str) -> None:
    inks = np.empty((16, 16, 4), np.uint8)
    inks[:] = (20, 130, 200, 40)
    stored = Image.frombytes("CMYK", (16, 16), inks)
    content = encoded(stored, "JPEG") if kind == "cmyk" else ycck_jpeg(inks)
    assert np.abs(shown(content) - inks_as_seen(inks)).max() <= 3


needs_pillow_13 = pytest.mark.skipif(
    int(PIL.__version__.split(".")[0]) < 13, reason="this Pillow does not read such a TIFF"
)


@needs_pillow_13
def test_ycbcr() -> None:
    values = RNG.integers(64, 192, (8, 8, 3), dtype=np.uint8)
    luma, blue, red = (values[..., i].astype(float) - (128, 0)[i == 0] for i in range(3))
    wanted = np.stack(
        [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], -1
    )
    assert np.abs(shown(tiff(values, 6)) - wanted.clip(0, 255)).max() <= 1.5


def blended(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return colours * share + np.array(BACKGROUND) * (1 - share)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_straight_alpha(kind: str) -> None:
    values = RNG.integers(0, 256, (9, 9, 4), dtype=np.uint8)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    content = encoded(Image.fromarray(values), kind, **options)
    wanted = blended(values[..., :3], values[..., 3])
    assert np.abs(shown(content) - wanted).max() <= 0.51
    over_white = wanted + (255 - np.array(BACKGROUND)) * (1 - values[..., 3:] / 255)
    assert np.abs(np.asarray(decode(content, 3)) - over_white).max() <= 0.51


@pytest.mark.parametrize("channels", [pytest.param(2, marks=needs_pillow_13), 4])
def test_premultiplied_alpha(channels: int) -> None:
    alpha = RNG.integers(0, 256, (9, 9), dtype=np.uint8)
    colours = RNG.integers(0, 256, (9, 9, channels - 1)) * alpha[..., None] // 255
    values = np.concatenate([colours, alpha[..., None]], -1).astype(np.uint8)
    content = tiff(values, 1 if channels == 2 else 2, extra=1)
    wanted = colours + np.array(BACKGROUND) * (1 - alpha[..., None] / 255)
    assert np.abs(shown(content) - wanted).max() <= 1.5


def test_grey_with_alpha() -> None:
    values = RNG.integers(0, 256, (9, 9, 2), dtype=np.uint8)
    content = encoded(Image.fromarray(values, "LA"))
    wanted = blended(np.repeat(values[..., :1], 3, -1), values[..., 1])
    assert np.abs(shown(content) - wanted).max() <= 0.51


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey(depth: int) -> None:
    clear = 2 ** (depth - 1)
    row = {1: b"\xb0", 2: b"\xb0", 4: b"\x8f", 8: b"\x80\x05", 16: b"\x80\0\x80\1"}[depth]
    width = max(2, 8 // depth)
    picture = shown(png(width, depth, 0, [row], [(b"tRNS", clear.to_bytes(2, "big"))]))[0]
    bits = "".join(f"{byte:08b}" for byte in row)
    values = [int(bits[at : at + depth], 2) for at in range(0, len(bits), depth)][:width]
    for value, pixel in zip(values, picture, strict=True):
        grey = value >> 8 if depth == 16 else value * 255 // (2**depth - 1)
        assert pixel.tolist() == (list(BACKGROUND) if value == clear else [grey] * 3)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour(depth: int) -> None:
    row = bytes([7, 8, 9, 1, 2, 3]) if depth == 8 else bytes([7, 0, 8, 0, 9, 0, 1, 0, 2, 0, 3, 0])
    clear = b"\0\7\0\x08\0\x09" if depth == 8 else b"\7\0\x08\0\x09\0"
    picture = shown(png(2, depth, 2, [row], [(b"tRNS", clear)]))
    assert picture.tolist() == [[list(BACKGROUND), [1, 2, 3]]]


def test_a_palette_with_an_alpha_for_each_entry() -> None:
    colours, alphas = np.arange(12).reshape(4, 3), np.array([0, 128, 200, 255])
    chunks = [(b"PLTE", colours.astype(np.uint8).tobytes()), (b"tRNS", bytes(alphas[:3].tolist()))]
    picture = shown(png(4, 4, 3, [b"\x01\x23"], chunks))
    assert np.abs(picture[0] - blended(colours, alphas)).max() <= 0.51


def test_a_gif_with_a_transparent_index() -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    picture.putpixel((2, 1), 0)
    seen = shown(encoded(picture, "GIF", transparency=1))
    assert seen[0, 0].tolist() == list(BACKGROUND)
    assert seen[1, 2].tolist() == [0, 0, 0]
