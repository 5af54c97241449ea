"""What stands between a source and the measurement: every batch is checked as it arrives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semaudit.errors import AuditError, ImageError
from semaudit.images.batches import Batch
from semaudit.images.reading import Unreadable

MOST_NAMED = 100
"""How many unreadable pictures are kept by name; all are counted."""

_SHOWN = 5
_HASHES_APART = 2**16  # how many new ones gather before they are sorted in
_RANGE = (
    "and must lie in [0, 1]: neither bytes nor normalised by mean and standard deviation, which "
    "is done inside the classifier"
)


class Intake:
    """Checks a source's batches, and counts what could not be read.

    Args:
        total: the images that the source promised.
        channels: the channels that the model takes.
        num_classes: the number of the model's outputs.
        max_unreadable: the share of the images that may be unreadable, in [0, 1].
    """

    def __init__(
        self, *, total: int, channels: int, num_classes: int, max_unreadable: float
    ) -> None:
        self._total, self._channels, self._num_classes = total, channels, num_classes
        self._max_unreadable = max_unreadable
        self._ids = _SeenIds()
        self._ranges: Tensor | None = None
        self.readable = self.unreadable_count = 0
        self.unreadable: tuple[Unreadable, ...] = ()

    def admit(self, batch: Batch) -> None:
        """Check one batch, without waiting for a device.

        Raises:
            ImageError: more images are unreadable than may be, an image id came before, or images
                or labels do not suit the model.
        """
        self._count(batch.unreadable)
        self.readable += len(batch)
        if not len(batch):
            return
        _check_form(batch, self._channels)
        largest = int(batch.labels.max())
        if largest >= self._num_classes:
            raise ImageError(
                f"label {largest} is no class of a model with {self._num_classes} classes "
                "(they count from 0)"
            )
        self._ids.add(batch.image_ids)
        if batch.images.is_floating_point():
            self._check_range(batch.images)

    def close(self) -> None:
        """Check what only the end shows.

        Raises:
            AuditError: fewer or more images came than the source promised.
            ImageError: no image could be read, or images on a device left [0, 1].
        """
        if self.unreadable_count and not self.readable:
            raise ImageError(
                f"none of the {self.unreadable_count} pictures can be read: {self._first()}"
            )
        came = self.readable + self.unreadable_count
        if came != self._total:
            raise AuditError(f"{came} of {self._total} pictures came from the source")
        if self._ranges is not None:
            _in_range(*self._ranges.tolist())

    def _count(self, unreadable: Sequence[Unreadable]) -> None:
        if not unreadable:
            return
        self.unreadable_count += len(unreadable)
        self.unreadable = (*self.unreadable, *unreadable)[:MOST_NAMED]
        # A count is whole, and 0.29 * 100 is below 29 in floating point.
        if self.unreadable_count > self._max_unreadable * self._total + 1e-6:
            raise ImageError(
                f"{self.unreadable_count} of {self._total} pictures cannot be read so far, more "
                f"than the share of {self._max_unreadable:g} that --max-unreadable allows: "
                f"{self._first()}; replace or remove them, or raise --max-unreadable"
            )

    def _first(self) -> str:
        named = "; ".join(f"{each.where}: {each.reason}" for each in self.unreadable[:_SHOWN])
        return named + ("; ..." if self.unreadable_count > _SHOWN else "")

    def _check_range(self, images: Tensor) -> None:
        low, high = images.detach().aminmax()
        if images.device.type == "cpu":
            _in_range(float(low), float(high))
            return
        # On a device the extremes gather, NaN included, and are read once, at the end.
        if self._ranges is not None:
            low, high = torch.minimum(low, self._ranges[0]), torch.maximum(high, self._ranges[1])
        self._ranges = torch.stack([low, high])


class _SeenIds:
    """Finds an id that comes a second time, in eight bytes an id."""

    def __init__(self) -> None:
        self._sorted: NDArray[np.int64] = np.empty(0, np.int64)
        self._recent: set[int] = set()

    def add(self, image_ids: Sequence[str]) -> None:
        for image_id in image_ids:
            if (key := hash(image_id)) in self._recent:
                raise _twice(image_id)
            self._recent.add(key)
        if len(self._sorted):
            keys = np.array([hash(image_id) for image_id in image_ids], np.int64)
            places = np.searchsorted(self._sorted, keys).clip(max=len(self._sorted) - 1)
            for known in np.flatnonzero(self._sorted[places] == keys):
                raise _twice(image_ids[int(known)])
        if len(self._recent) >= _HASHES_APART:
            recent = np.fromiter(self._recent, np.int64, len(self._recent))
            self._sorted = np.union1d(self._sorted, recent)
            self._recent.clear()


def _twice(image_id: str) -> ImageError:
    return ImageError(
        f"the image id {image_id!r} came twice; ids key the random draws and must be unique"
    )


def _check_form(batch: Batch, channels: int) -> None:
    images, ids, labels = batch.images, batch.image_ids, batch.labels
    if images.ndim != 4 or not len(images) == len(ids) == len(labels):
        raise ImageError(
            f"a batch has images of shape {tuple(images.shape)}, {len(ids)} ids and {len(labels)} "
            "labels; it must have n images (n, c, h, w), n ids and n labels"
        )
    if images.shape[1] != channels:
        raise ImageError(
            f"the model takes pictures of {channels} channel(s), and these have {images.shape[1]}"
        )
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ImageError(f"images are {images.dtype}; they must be uint8, or floats in [0, 1]")


def _in_range(low: float, high: float) -> None:
    # Written so that NaN fails.
    if not (low >= 0 and high <= 1):
        raise ImageError(f"images lie in [{low:.4g}, {high:.4g}] {_RANGE}")


__all__ = ["MOST_NAMED", "Intake"]
