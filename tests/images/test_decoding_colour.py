"""Embedded profiles, against the colour matrices of the book."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from semaudit.images.decoding import decode
from semaudit.images.decoding.colour import to_srgb

from .handmade import (
    D50,
    TO_D50,
    encoded,
    gamma_curve,
    grey_profile,
    rgb_profile,
    srgb_curve,
    srgb_decoded,
    srgb_encoded,
    tiff,
    to_xyz,
)

COLOURS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
GREYS = np.arange(256, dtype=np.uint8)[None]
P3 = rgb_profile("p3", srgb_curve())


def seen(pixels: np.ndarray, profile: bytes, channels: int = 3) -> np.ndarray:
    content = encoded(Image.fromarray(pixels), icc_profile=profile)
    return np.asarray(decode(content, channels)).astype(float)


def expected(pixels: np.ndarray, primaries: str, gamma: float | None) -> np.ndarray:
    linear = srgb_decoded(pixels / 255) if gamma is None else (pixels / 255) ** gamma
    matrix = np.linalg.inv(to_xyz("srgb")) @ to_xyz(primaries)
    return 255 * srgb_encoded(linear @ matrix.T)


@pytest.mark.parametrize(
    ("primaries", "gamma"), [("p3", None), ("adobe", 563 / 256), ("srgb", 1.8), ("srgb", 2.2)]
)
def test_a_matrix_profile_is_the_matrix(primaries: str, gamma: float | None) -> None:
    profile = rgb_profile(primaries, srgb_curve() if gamma is None else gamma_curve(gamma))
    shown = seen(COLOURS, profile)
    assert np.abs(shown - expected(COLOURS, primaries, gamma)).max() < 1
    assert np.abs(shown - COLOURS).max() > 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_the_formats_that_carry_profiles(kind: str) -> None:
    red = np.full((32, 32, 3), (200, 60, 60), np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(Image.fromarray(red), kind, icc_profile=P3, **options)
    shown = np.asarray(decode(content, 3)).astype(float)
    assert np.abs(shown - expected(red, "p3", None)).max() < 4
    assert np.abs(shown - red).max() > 8


@pytest.mark.parametrize(
    "profile",
    [
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        rgb_profile("srgb", srgb_curve()),
    ],
    ids=["library", "handmade"],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_srgb_pixels_stay_bit_for_bit(profile: bytes, mode: str) -> None:
    picture = Image.fromarray(COLOURS).convert(mode)
    plain = np.asarray(decode(encoded(picture), 3))
    assert np.array_equal(np.asarray(decode(encoded(picture, icc_profile=profile), 3)), plain)


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_profiles(channels: int) -> None:
    shown = seen(GREYS, grey_profile(gamma_curve(1.8)), channels).reshape(1, 256, -1)
    wanted = 255 * srgb_encoded((GREYS / 255) ** 1.8)
    assert np.abs(shown - wanted[..., None]).max() < 2
    assert np.array_equal(seen(GREYS, grey_profile(srgb_curve()), 1), GREYS)


def test_sixteen_bit_grey_has_its_profile_too() -> None:
    shown = seen(GREYS.astype(np.uint16) * 257, grey_profile(gamma_curve(1.8)), 1)
    assert np.abs(shown - 255 * srgb_encoded((GREYS / 255) ** 1.8)).max() < 2


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_no_colour(mode: str) -> None:
    alpha = np.random.default_rng(1).integers(0, 256, COLOURS.shape[:2], dtype=np.uint8)
    picture = Image.fromarray(COLOURS).convert(mode[:-1])
    profile = P3 if mode == "RGBA" else grey_profile(gamma_curve(1.8))
    opaque = np.asarray(to_srgb(picture.copy(), profile).convert("RGB"))
    picture.putalpha(Image.fromarray(alpha))
    shown = np.asarray(to_srgb(picture, profile).convert("RGBA"))
    assert np.array_equal(shown[..., 3], alpha)
    assert np.array_equal(shown[..., :3], opaque)


@pytest.mark.parametrize(
    "profile",
    [b"", b"no profile", P3[:200], P3[:128] + bytes(64), grey_profile(gamma_curve(1.8))],
    ids=["empty", "text", "cut", "hollow", "grey"],
)
def test_a_broken_or_mismatching_profile_is_ignored(profile: bytes) -> None:
    content = encoded(Image.fromarray(COLOURS), "TIFF", icc_profile=profile)
    assert np.array_equal(np.asarray(decode(content, 3)), COLOURS)


def test_a_profile_of_colours_on_grey_is_ignored() -> None:
    assert np.array_equal(seen(GREYS, P3, 1), GREYS)


def test_lab() -> None:
    lab = np.array([[[50, 0, 0], [60, 40, 20], [70, -30, 30], [100, 0, 0], [0, 0, 0]]])
    stored = lab * [2.55, 1, 1]
    content = tiff(np.rint(stored).astype(np.int64).astype(np.uint8), 8)
    light = (np.rint(stored[..., 0]) / 2.55 + 16) / 116
    roots = np.stack([light + lab[..., 1] / 500, light, light - lab[..., 2] / 200], -1)
    xyz = D50 * np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    linear = xyz @ np.linalg.inv(TO_D50 @ to_xyz("srgb")).T
    assert np.abs(np.asarray(decode(content, 3)) - 255 * srgb_encoded(linear)).max() < 1.5
