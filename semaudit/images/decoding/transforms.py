"""From the content of a picture to a tensor of the model's size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from timm.data import create_transform
from torch import Tensor
from torchvision.transforms.v2 import functional as resizing

from semaudit.images.decoding import WHITE, Background, as_seen, decode
from semaudit.images.decoding.bounding import bounded
from semaudit.images.sources.origins import Content

if TYPE_CHECKING:
    from semaudit.models.preprocessing import Preprocessing

_PICTURE_CHANNELS = (1, 3)


class Transform:
    """timm's evaluation preprocessing without the normalisation, which the Classifier does.

    Pictures become uint8 (c, h, w). Arrays of other than one or three channels, which Pillow has
    no mode for, are resized as tensors, bilinear and antialiased.
    """

    def __init__(self, preprocessing: Preprocessing, background: Background = WHITE) -> None:
        self.background = background
        self.preprocessing = preprocessing
        self.channels = preprocessing.input_size[0]
        self._of_picture: Callable[[Image.Image], Tensor] = create_transform(
            input_size=preprocessing.input_size,
            is_training=False,
            normalize=False,  # so that perturbations see [0, 1]
            mean=preprocessing.mean,
            std=preprocessing.std,
            crop_pct=preprocessing.crop_pct,
            crop_mode=preprocessing.crop_mode,
            interpolation=preprocessing.interpolation,
        )

    def __call__(self, content: Content) -> Tensor:
        """Preprocess a picture.

        Raises:
            DecodeError: the content is no picture.
        """
        if isinstance(content, np.ndarray) and self.channels not in _PICTURE_CHANNELS:
            return _of_tensor(torch.from_numpy(content).movedim(-1, 0), self.preprocessing)
        return self._of_picture(bounded(self.picture(content), self.preprocessing))

    def picture(self, content: Content) -> Image.Image:
        """Decode a picture, before any resize.

        Raises:
            DecodeError: the content is no picture.
        """
        if isinstance(content, bytes):
            return decode(content, self.channels, self.background)
        picture = Image.fromarray(content) if isinstance(content, np.ndarray) else content
        return as_seen(picture, self.channels, self.background)


def as_bytes(content: Content) -> bytes:
    """Return what the digest of a picture is taken of."""
    if isinstance(content, bytes):
        return content
    values = np.asarray(content)
    return f"{values.dtype}{values.shape}".encode() + values.tobytes()


def _of_tensor(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Resize and crop (c, h, w) as timm does pictures: ``center``, ``squash`` or ``border``."""
    size = preprocessing.input_size[1:]
    target = [int(edge / preprocessing.crop_pct) for edge in size]
    if preprocessing.crop_mode != "squash":
        ratios = [wanted / edge for wanted, edge in zip(target, image.shape[1:], strict=True)]
        ratio = min(ratios) if preprocessing.crop_mode == "border" else max(ratios)
        target = [max(1, round(edge * ratio)) for edge in image.shape[1:]]
    resized = resizing.resize(image, target, antialias=True)
    cropped: Tensor = resizing.center_crop(resized, list(size))
    return cropped


__all__ = ["Transform", "as_bytes"]
