"""What a model is audited on: pictures from wherever they are, or tensors in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from semaudit.images.batches import Batch, add_digests, as_float
from semaudit.images.decoding import EXTENSIONS
from semaudit.images.pictures import FolderSource, open_folder, open_photographs, open_pictures
from semaudit.images.reading import NO_LABEL, ImageDataset
from semaudit.images.sampling import take
from semaudit.images.sources.folders import list_folder
from semaudit.images.sources.listing import Item, Listing
from semaudit.images.sources.streams import StreamSource
from semaudit.images.tensors import TensorSource


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


__all__ = [
    "EXTENSIONS",
    "NO_LABEL",
    "Batch",
    "FolderSource",
    "ImageDataset",
    "ImageSource",
    "Item",
    "Listing",
    "StreamSource",
    "TensorSource",
    "add_digests",
    "as_float",
    "list_folder",
    "open_folder",
    "open_photographs",
    "open_pictures",
    "take",
]
