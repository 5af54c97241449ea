"""What storage, transport and serving do to a picture: codecs, fewer pixels, another resize."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, features
from torch import Tensor
from torch.nn import functional as F

from semaudit.errors import ProbeError
from semaudit.perturbations.draw import Draw
from semaudit.perturbations.pixels import at_least_single, is_colour, luma, per_image
from semaudit.perturbations.registry import Strength, perturbation

Pixels: TypeAlias = NDArray[np.uint8]
Save: TypeAlias = Callable[[Image.Image, BytesIO, int], None]

_LOSSES = 1 - 2.0 ** -np.arange(5)  # the strengths at which f is 1, 2, 4, 8 and 16


@perturbation(family="codec", differentiable=False)
def jpeg(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Save the picture as a JPEG file and open it again.

    Pillow's encoder and decoder, at the quality round(100 - 99 * strength), with chroma at half
    the resolution (4:2:0) as is its default; only at quality 100 it keeps all of it, so that the
    path starts at the picture itself. Values are rounded to 8 bits first. Pictures of other than
    three channels are saved plane by plane, in grey. Wallace 1992, "The JPEG still picture
    compression standard".
    """

    def save(picture: Image.Image, file: BytesIO, quality: int) -> None:
        picture.save(file, "JPEG", quality=quality, subsampling=0 if quality == 100 else -1)

    return _stored(images, strength, save)


@perturbation(family="codec", differentiable=False)
def webp(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Save the picture as a WebP file and open it again.

    Pillow's lossy encoder at the quality round(100 - 99 * strength) and the least effort (method
    0: larger files, faster), and its decoder; quality 100 is saved without loss, so that the path
    starts at the picture itself. Values are rounded to 8 bits first. Pictures of other than three
    channels are saved plane by plane. Bankoski et al. 2011, RFC 6386, "VP8 data format and
    decoding guide".

    Raises:
        ProbeError: this Pillow was built without WebP.
    """
    if not features.check("webp"):
        raise ProbeError(
            "the perturbation 'webp' needs a Pillow that was built with WebP: install Pillow's own "
            "wheel, or leave it out with --ignore webp"
        )

    def save(picture: Image.Image, file: BytesIO, quality: int) -> None:
        lossless = quality == 100  # there, the quality is the effort
        picture.save(file, "WEBP", quality=0 if lossless else quality, lossless=lossless, method=0)

    return _stored(images, strength, save)


@perturbation(family="codec", max_strength=0.9375, channels=3)
def chroma_subsampling(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Store the colours with fewer pixels than the light, as most codecs and cameras do.

    BT.601 luma is kept; the rest of the picture, its colours, is averaged over f x f pixels and
    enlarged again bilinearly, f = 1 / (1 - strength): the strength is the fraction of the colours'
    resolution that is lost, and 1/2 is 4:2:0. Between the powers of two it is a mix of the two
    nearest, linear in the strength (Williams 1983, "Pyramidal parametrics"); odd sides are mirrored
    at their ends. Images without three channels are returned unchanged.
    """
    if not is_colour(images):
        return images
    fine = at_least_single(images)
    grey = luma(fine)
    return (grey + _reduced(fine - grey, per_image(strength, images))).to(images.dtype)


@perturbation(family="codec", max_strength=0.75)
def downscale(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Make the picture smaller and enlarge it again: it loses fine detail.

    Averaged over f x f pixels and enlarged again bilinearly, f = 1 / (1 - strength): the strength
    is the fraction of the resolution that is lost. Between the powers of two it is a mix of the
    two nearest, linear in the strength (Williams 1983, "Pyramidal parametrics"): a size a little
    below the old one would blur in stripes, where the two rasters are out of step. Odd sides are
    mirrored at their ends.
    """
    return _reduced(at_least_single(images), per_image(strength, images)).to(images.dtype)


@perturbation(family="codec", max_strength=2.0)
def interpolation_mismatch(images: Tensor, strength: Strength, draw: Draw) -> Tensor:
    """Resize the picture in production without the filter that the model was trained with.

    x + strength * enlarge(nearest(x) - bilinear(x)): both halve the picture, one by the nearest
    pixel, as libraries do that resize without a filter, the other by Pillow's bilinear filter,
    a tent over four pixels; Pillow's bicubic filter enlarges the difference. So fine detail turns
    into jagged edges and moire (Parmar et al. 2022, "On aliased resizing and surprising subtleties
    in GAN evaluation"). The strength is the share of the difference that one halving makes; above
    1 it is exaggerated.
    """
    fine = at_least_single(images)
    height, width = fine.shape[-2:]
    half = ((height + 1) // 2, (width + 1) // 2)
    nearest = F.interpolate(fine, half, mode="nearest-exact")
    bilinear = F.interpolate(fine, half, mode="bilinear", antialias=True)
    change = F.interpolate(nearest - bilinear, (height, width), mode="bicubic", antialias=True)
    return (fine + per_image(strength, images) * change).to(images.dtype)


def _stored(images: Tensor, strength: Strength, save: Save) -> Tensor:
    """Each image in 8 bits through a file in memory, several at a time: Pillow frees the lock."""
    count, channels, height, width = images.shape
    levels = images.detach().float().mul(255).round().to(torch.uint8).cpu()
    colour = is_colour(images)
    pictures = levels.permute(0, 2, 3, 1) if colour else levels.reshape(-1, height, width)
    qualities = [round(100 - 99 * each) for each in per_image(strength, images).flatten().tolist()]
    each_file = np.repeat(qualities, 1 if colour else channels).tolist()
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        opened = pool.map(
            _reopened, pictures.contiguous().numpy(), each_file, [save] * len(pictures)
        )
        back = torch.from_numpy(np.stack(list(opened)))
    planes = back.permute(0, 3, 1, 2) if colour else back.view(count, channels, height, width)
    return (planes.to(images.device).to(at_least_single(images).dtype) / 255).to(images.dtype)


def _reopened(pixels: Pixels, quality: int, save: Save) -> Pixels:
    """One picture, (h, w, 3) or (h, w), through a file in memory."""
    picture = Image.fromarray(pixels)
    file = BytesIO()
    save(picture, file, quality)
    with Image.open(file) as opened:
        return np.asarray(opened.convert(picture.mode))


def _reduced(planes: Tensor, strength: Tensor) -> Tensor:
    """The planes without the strength's share of their resolution; strength (n, 1, 1, 1)."""
    strengths = strength.flatten().tolist()
    table = np.stack([np.interp(strengths, _LOSSES, only) for only in np.eye(len(_LOSSES))])
    shares = torch.from_numpy(table).to(planes).view(*table.shape, 1, 1, 1)
    used = np.flatnonzero(table.any(axis=1)).tolist()
    mixed, cells = shares[0] * planes, planes
    for halvings in range(1, used[-1] + 1):
        cells = _halved(cells)
        if halvings in used:
            # In place where the gradient allows it: allocating costs more than computing.
            part = _enlarged(cells, 2**halvings, planes.shape[-2:])
            mixed.add_(part.mul_(shares[halvings]))
    return mixed


def _halved(planes: Tensor) -> Tensor:
    """Means of two by two pixels; an odd side is mirrored at its end."""
    height, width = planes.shape[-2:]
    even = F.pad(planes, (0, width % 2, 0, height % 2), mode="replicate")
    rows = even[..., ::2, :] + even[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) * 0.25


def _enlarged(cells: Tensor, factor: int, size: torch.Size) -> Tensor:
    """The cells, each factor x factor pixels, read bilinearly; cut to (h, w)."""
    whole = F.interpolate(cells, scale_factor=float(factor), mode="bilinear", antialias=True)
    return whole[..., : size[0], : size[1]]
