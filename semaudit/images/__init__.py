"""What a model is audited on: pictures from a folder or tensors in memory, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from semaudit.images.batches import Batch, add_digests, as_float, batches
from semaudit.images.reading import NO_LABEL, ImageDataset
from semaudit.images.sampling import take
from semaudit.images.source import EXTENSIONS, Item, Listing, list_folder
from semaudit.images.tensors import TensorSource

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames
    from semaudit.models.preprocessing import Preprocessing


class ImageSource(Protocol):
    """Anything that yields batches of images."""

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know about the images."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names for the model's outputs that replace its own, or None."""

    def __len__(self) -> int:
        """Return the number of images."""

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        """Yield all images in order, ``batch_size`` at a time; each call starts afresh."""


@dataclass(frozen=True)
class FolderSource:
    """Pictures on disk."""

    dataset: ImageDataset
    listing: Listing

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def labelled(self) -> bool:
        """Whether every picture has a label."""
        return self.listing.labelled

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know about the pictures."""
        return self.listing.notes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The folders' names, where the model has none of its own."""
        return self.listing.class_names

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        """Yield the pictures in order; see `semaudit.images.batches.batches`.

        Raises:
            ImageError: a picture cannot be read, or a worker process died.
        """
        return batches(self.dataset, batch_size, workers, pin_memory)


def open_folder(
    data: Path,
    preprocessing: Preprocessing,
    class_names: ClassNames,
    num_classes: int,
    *,
    label_pattern: str | None = None,
    ignore_labels: bool = False,
    num_samples: int | None = None,
    seed: int = 0,
) -> FolderSource:
    """List, label and sample the pictures at ``data``; none is opened yet.

    Raises:
        ImageError: the pictures cannot be listed or labelled (see `list_folder`).
        UsageError: a bad ``label_pattern`` or ``num_samples``.
    """
    listing = list_folder(
        data,
        class_names=class_names,
        num_classes=num_classes,
        label_pattern=label_pattern,
        ignore_labels=ignore_labels,
    )
    return FolderSource(
        ImageDataset(take(listing.items, num_samples, seed), preprocessing), listing
    )


__all__ = [
    "EXTENSIONS",
    "NO_LABEL",
    "Batch",
    "FolderSource",
    "ImageDataset",
    "ImageSource",
    "Item",
    "Listing",
    "TensorSource",
    "add_digests",
    "as_float",
    "list_folder",
    "open_folder",
    "take",
]
