"""Codecs against Pillow's own bytes; smaller pictures against Pillow's filters, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, features
from scipy import ndimage
from torch import Tensor

from semaudit.errors import ProbeError
from semaudit.perturbations import Draw, get
from semaudit.perturbations.pixels import luma

Scenes = Callable[..., Tensor]
Filter = Image.Resampling
IDS = ["a", "b", "c", "d"]
CODECS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG"},
    "webp": {"format": "WEBP", "method": 0},
}
GREY = np.array([0.299, 0.587, 0.114])

each_codec = pytest.mark.parametrize("name", CODECS)


def draw_of(name: str, count: int = 4) -> Draw:
    return Draw.of(3, name, IDS[:count])


def to_bytes(images: Tensor) -> np.ndarray:
    return (images.double() * 255).round().numpy().astype(np.uint8)


def through(pixels: np.ndarray, **options: Any) -> np.ndarray:
    """What a file holds of pixels (h, w, 3) or (h, w), by Pillow alone."""
    file = BytesIO()
    picture = Image.fromarray(pixels)
    picture.save(file, **options)
    return np.asarray(Image.open(BytesIO(file.getvalue())).convert(picture.mode))


def resized(planes: np.ndarray, size: tuple[int, int], kind: Filter) -> np.ndarray:
    """Planes (..., h, w) at another (h, w) by Pillow's filter, in floating point."""
    flat = planes.reshape(-1, *planes.shape[-2:]).astype(np.float32)
    made = [np.asarray(Image.fromarray(each).resize(size[::-1], kind)) for each in flat]
    return np.stack(made).reshape(*planes.shape[:-2], *size)


def reduced(planes: np.ndarray, factor: int) -> np.ndarray:
    """Halved again and again, odd ends mirrored, and enlarged by scipy: (..., h, w) float64."""
    height, width = planes.shape[-2:]
    cells = planes
    for _ in range(int(np.log2(factor))):
        odd = [(0, size % 2) for size in cells.shape[-2:]]
        cells = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + odd, mode="symmetric")
        rows, columns = (size // 2 for size in cells.shape[-2:])
        cells = cells.reshape(*cells.shape[:-2], rows, 2, columns, 2).mean((-3, -1))
    y, x = ((np.arange(size) + 0.5) / factor - 0.5 for size in (height, width))
    places = np.stack(np.meshgrid(y, x, indexing="ij"))
    flat = cells.reshape(-1, *cells.shape[-2:])
    made = [ndimage.map_coordinates(each, places, order=1, mode="nearest") for each in flat]
    return np.stack(made).reshape(planes.shape)


@each_codec
@pytest.mark.parametrize("size", [(97, 131), (28, 28), (1, 5)])
@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_a_codec_gives_what_its_file_holds(
    name: str, size: tuple[int, int], strength: float, scenes: Scenes
) -> None:
    quality = {0.1: 90, 0.5: 50, 1.0: 1}[strength]  # 100 - 99 * 0.5 is rounded to even
    images = scenes(4, 3, *size)
    result = get(name)(images, strength, draw_of(name))
    for pixels, after in zip(to_bytes(images), result, strict=True):
        stored = through(pixels.transpose(1, 2, 0), **CODECS[name], quality=quality)
        expected = torch.from_numpy(stored.copy()).permute(2, 0, 1).float() / 255
        assert torch.equal(after, expected)


@each_codec
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_depths_are_stored_plane_by_plane(name: str, channels: int, scenes: Scenes) -> None:
    images = scenes(2, channels, 33, 28)
    result = get(name)(images, 0.5, draw_of(name, 2))
    for pixels, after in zip(to_bytes(images), result, strict=True):
        stored = [through(plane, **CODECS[name], quality=50) for plane in pixels]
        np.testing.assert_array_equal(to_bytes(after), np.stack(stored))


@each_codec
def test_a_codec_takes_any_precision(name: str, scenes: Scenes) -> None:
    images = torch.from_numpy(to_bytes(scenes(2, 3, 28, 28)).copy()).double() / 255
    expected = get(name)(images, 0.5, draw_of(name, 2))
    assert expected.dtype == torch.float64
    assert torch.equal(get(name)(images.float(), 0.5, draw_of(name, 2)), expected.float())
    half = images.half()  # finer than 8 bits, so that the same levels are stored
    assert torch.equal(get(name)(half, 0.5, draw_of(name, 2)), expected.half())


@each_codec
def test_each_picture_has_its_own_quality(name: str, scenes: Scenes) -> None:
    images, draw = scenes(4, 3, 28, 28), draw_of(name)
    strengths = torch.tensor([0.9, 0.1, 0.5, 0.3])
    together = get(name)(images, strengths, draw)
    for index, strength in enumerate(strengths.tolist()):
        at = torch.tensor([index])
        assert torch.equal(together[at], get(name)(images[at], strength, draw.subset(at)))


@each_codec
def test_grey_stays_grey(name: str, scenes: Scenes) -> None:
    grey = scenes(2, 1, 40, 56).expand(-1, 3, -1, -1)
    result = to_bytes(get(name)(grey, 0.7, draw_of(name, 2))).astype(int)
    # WebP's colours are worked out in whole numbers: a channel may be one level off.
    assert np.ptp(result, axis=1).max() <= {"jpeg": 0, "webp": 1}[name]


def test_quality_100_is_the_start_of_the_path(scenes: Scenes) -> None:
    images = scenes(4, 3, 97, 131)
    pixels = to_bytes(images)
    fine = get("jpeg")(images, 0.001, draw_of("p"))
    for before, after in zip(pixels, to_bytes(fine), strict=True):
        stored = through(before.transpose(1, 2, 0), format="JPEG", quality=100, subsampling=0)
        np.testing.assert_array_equal(after, stored.transpose(2, 0, 1))
    assert (fine - images).square().mean().sqrt() < 1 / 255
    np.testing.assert_array_equal(to_bytes(get("webp")(images, 0.001, draw_of("p"))), pixels)


def test_a_pillow_without_webp_is_named(monkeypatch: pytest.MonkeyPatch, scenes: Scenes) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "webp")
    with pytest.raises(ProbeError, match="needs a Pillow that was built with WebP"):
        get("webp")(scenes(1, 3, 28, 28), 0.5, draw_of("webp", 1))
    get("jpeg")(scenes(1, 3, 28, 28), 0.5, draw_of("jpeg", 1))


MIXES = {
    0.25: {1: 0.5, 2: 0.5},
    0.5: {2: 1.0},
    0.5625: {2: 0.75, 4: 0.25},
    0.75: {4: 1.0},
}
"""Shares of the reductions at a strength, by hand."""


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (28, 28)])
@pytest.mark.parametrize("strength", MIXES)
def test_downscale_by_hand(strength: float, size: tuple[int, int], scenes: Scenes) -> None:
    images = scenes(4, 1, *size)
    pixels = images.double().numpy()
    expected = sum(share * reduced(pixels, factor) for factor, share in MIXES[strength].items())
    result = get("downscale")(images, strength, draw_of("p"))
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("factor", [2, 4])
def test_downscale_against_pillow(factor: int, scenes: Scenes) -> None:
    images = scenes(4, 3, 64, 96)
    small = resized(images.numpy(), (64 // factor, 96 // factor), Filter.BOX)
    expected = resized(small, (64, 96), Filter.BILINEAR)
    result = get("downscale")(images, 1 - 1 / factor, draw_of("p"))
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=2e-6)


def test_downscale_to_half_is_the_mean_of_four() -> None:
    board = (torch.arange(64)[:, None] + torch.arange(64)).remainder(2).float().expand(1, 1, 64, 64)
    half = get("downscale")(board, 0.5, Draw.of(0, "p", ["a"]))
    torch.testing.assert_close(half, torch.full_like(half, 0.5))


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (28, 28)])
@pytest.mark.parametrize("strength", [*MIXES, 0.875, 0.9375])
def test_chroma_by_hand(strength: float, size: tuple[int, int], scenes: Scenes) -> None:
    images = scenes(4, 3, *size) * 0.5 + 0.25
    pixels = images.double().numpy()
    grey = np.einsum("c,nchw->nhw", GREY, pixels)[:, None]
    mixes = {**MIXES, 0.875: {8: 1.0}, 0.9375: {16: 1.0}}[strength]
    expected = grey + sum(share * reduced(pixels - grey, f) for f, share in mixes.items())
    result = get("chroma_subsampling")(images, strength, draw_of("p"))
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(luma(result), luma(images), rtol=0, atol=2e-6)


def test_half_the_chroma_is_that_of_a_jpeg(scenes: Scenes) -> None:
    """libjpeg at quality 100, where little but the subsampling is lost."""
    images = scenes(4, 3, 64, 96) * 0.5 + 0.25
    ours = to_bytes(get("chroma_subsampling")(images, 0.5, draw_of("p"))).astype(float)
    for before, after in zip(to_bytes(images), ours, strict=True):
        pixels = before.transpose(1, 2, 0)
        theirs = through(pixels, format="JPEG", quality=100, subsampling="4:2:0")
        gap = after - theirs.transpose(2, 0, 1)
        assert np.sqrt((gap**2).mean()) < 1.5
        assert np.sqrt(((after - before) ** 2).mean()) > 3


def test_chroma_leaves_grey_pictures_alone(scenes: Scenes) -> None:
    images = scenes(4, 1, 28, 28)
    assert torch.equal(get("chroma_subsampling")(images, 0.5, draw_of("p")), images)
    grey = images.expand(-1, 3, -1, -1)
    torch.testing.assert_close(get("chroma_subsampling")(grey, 0.9, draw_of("p")), grey)


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (28, 28)])
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_interpolation_mismatch_against_pillow(
    strength: float, size: tuple[int, int], scenes: Scenes
) -> None:
    images = scenes(4, 3, *size)
    pixels = images.numpy()
    half = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    nearest, bilinear = (resized(pixels, half, kind) for kind in (Filter.NEAREST, Filter.BILINEAR))
    change = resized(nearest - bilinear, size, Filter.BICUBIC)
    result = get("interpolation_mismatch")(images, strength, draw_of("p"))
    expected = (pixels + strength * change).clip(0, 1)
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", ["chroma_subsampling", "downscale", "interpolation_mismatch"])
def test_plain_pictures_stay_plain(name: str) -> None:
    plain = torch.tensor([0.2, 0.6, 0.9]).view(1, 3, 1, 1).expand(2, 3, 29, 37)
    for share in (0.3, 1.0):
        result = get(name)(plain, share * get(name).max_strength, draw_of(name, 2))
        torch.testing.assert_close(result, plain, rtol=0, atol=2e-6)
