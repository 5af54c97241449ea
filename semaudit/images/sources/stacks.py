"""Pictures that are stacked in one array: their layout, their scale, and one picture of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from semaudit.errors import ImageError
from semaudit.images.sources.origins import shown

_HALF_OF_16_BITS = 1 << 15
_PICTURE_CHANNELS = (1, 3, 4)
_STRIDE = 1 << 24  # values of a part in which the range of an array is searched

AnyArray: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Mapped:
    """An array in a file, mapped into memory when a picture of it is read."""

    path: str
    offset: int
    shape: tuple[int, ...]
    dtype: str
    fortran: bool = False

    def open(self) -> AnyArray:
        """Map the array.

        Raises:
            OSError: the file is gone or has become shorter.
        """
        order: Literal["F", "C"] = "F" if self.fortran else "C"
        try:
            return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)
        except ValueError as error:
            raise OSError(str(error)) from error


Block: TypeAlias = Mapped | AnyArray
"""An array in a file, or one in memory where the file is compressed."""


@dataclass(frozen=True, eq=False)
class Stack:
    """n pictures in one array.

    Attributes:
        block: (n, h, w), (n, h, w, c) or (n, c, h, w).
        channels_first: whether it is the last of these.
        factor: what a value is multiplied by to lie in [0, 255].
        where: the array as messages name it.
    """

    block: Block
    channels_first: bool
    factor: float
    where: str

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return one picture, (h, w) or (h, w, c)."""
        values = np.asarray(opened(self.block)[index])
        if self.channels_first:
            values = np.moveaxis(values, 0, -1)
        if values.ndim == 3 and values.shape[-1] == 1:
            values = values[..., 0]
        if values.dtype != np.uint8:
            values = np.rint(values.astype(np.float64) * self.factor)
        # A copy: a mapped file cannot be written to, and tensors are taken to be writable.
        return np.array(values, dtype=np.uint8, order="C")


@dataclass(frozen=True, slots=True)
class PixelOrigin:
    """One picture of a stack."""

    stack: Stack
    index: int

    @property
    def where(self) -> str:
        """The array, and which of its pictures it is, counted from 0."""
        return shown(f"{self.stack.where}: number {self.index}")

    def read(self) -> NDArray[np.uint8]:
        """Return the pixels; see `Origin.read`."""
        return self.stack.picture(self.index)


def opened(block: Block) -> AnyArray:
    """Return the array itself."""
    return block.open() if isinstance(block, Mapped) else block


def stack_of(block: Block, where: str, channels: int) -> tuple[Stack, tuple[str, ...]]:
    """Tell layout and scale of an array of pictures; the notes say what was not plain.

    Args:
        block: the array.
        where: its name in messages.
        channels: of the model; they settle a doubt, and one that is neither 1 nor 3 must be met.

    Raises:
        ImageError: no such layout or scale, or channels that the model does not take.
    """
    shape = block.shape
    if 0 in shape or len(shape) not in {3, 4}:
        hint = "; reshape the rows to (n, height, width)" if len(shape) == 2 else ""
        raise ImageError(
            f"{where} has shape {shape}; pictures are (n, h, w), (n, h, w, c) or (n, c, h, w), "
            f"none of them 0{hint}"
        )
    first = len(shape) == 4 and _channels_first(shape, where, channels)
    found = 1 if len(shape) == 3 else shape[1] if first else shape[3]
    if found != channels and not {found, channels} <= {1, 3}:
        raise ImageError(f"{where} has {found} channels, and the model takes {channels}")
    factor, notes = _factor(block, where)
    return Stack(block, first, factor, where), notes


def _channels_first(shape: tuple[int, ...], where: str, channels: int) -> bool:
    _, left, middle, right = shape
    for known in ((channels,), _PICTURE_CHANNELS):
        first, last = left in known, right in known
        if first and last:
            # Most pictures of a stack are square, so one reading has equal sides.
            first, last = middle == right, left == middle
        if first != last:
            return first
    raise ImageError(
        f"{where} has shape {shape}, and it cannot be told where its channels are; store it as "
        "(n, h, w, c) with 1 or 3 channels, or the model's number"
    )


def _factor(block: Block, where: str) -> tuple[float, tuple[str, ...]]:
    kind, size = np.dtype(block.dtype).kind, np.dtype(block.dtype).itemsize
    if kind == "b":
        return 255.0, (f"{where} holds true and false, taken for white and black",)
    if kind == "u" and size == 1:
        return 1.0, ()
    if kind not in "iuf":
        raise ImageError(f"{where} holds {block.dtype}; pictures are bytes, integers or floats")
    low, high = _range(block)
    if not np.isfinite([low, high]).all():
        raise ImageError(f"{where} holds values that are not finite (NaN or infinity)")
    if low < 0 or high > (255 if kind == "f" else 65535):
        raise ImageError(
            f"{where} lies in [{low:.4g}, {high:.4g}]; pictures lie in [0, 1] or [0, 255], before "
            "any normalisation by mean and standard deviation, which happens beside the model"
        )
    if kind == "f" and high <= 1:
        return 255.0, (f"{where} lies in [0, 1] and was rounded to 256 levels",)
    if kind == "f" and not _all_whole(block):
        return 1.0, (f"{where} lies in [0, 255] and was rounded to 256 levels",)
    if kind != "f" and high <= 1:
        raise ImageError(
            f"{where} holds only 0 and 1 as {block.dtype}, which may be black and white or nearly "
            "black; store true and false, or floats in [0, 1]"
        )
    if high <= 255:
        return 1.0, ()
    if high < _HALF_OF_16_BITS:
        raise ImageError(
            f"{where} goes up to {high:.0f}, and it cannot be told what full scale is; divide by "
            "it and store floats in [0, 1]"
        )
    return 1 / 257, (f"{where} has 16 bits a value and was rounded to 256 levels",)


def _range(block: Block) -> tuple[float, float]:
    bounds = np.array([(part.min(), part.max()) for part in _parts(block)], dtype=np.float64)
    return float(bounds[:, 0].min()), float(bounds[:, 1].max())  # both keep a NaN


def _all_whole(block: Block) -> bool:
    return all(bool((part == np.rint(part)).all()) for part in _parts(block))


def _parts(block: Block) -> Iterator[AnyArray]:
    values = opened(block)
    rows = max(1, _STRIDE // (values.size // len(values)))
    return (values[start : start + rows] for start in range(0, len(values), rows))


__all__ = ["AnyArray", "Block", "Mapped", "PixelOrigin", "Stack", "opened", "stack_of"]
