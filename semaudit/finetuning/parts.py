"""Some of the pictures of a source."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from semaudit.images import (
    Batch,
    FolderSource,
    ImageSource,
    StreamSource,
    TensorSource,
    add_digests,
)
from semaudit.images.reading import fingerprint


def part_of(source: ImageSource, indices: Sequence[int], ids: Sequence[str]) -> ImageSource:
    """A source of some of the pictures, in the order given where it can be chosen.

    Args:
        source: of all.
        indices: of those wanted.
        ids: of all.
    """
    if isinstance(source, FolderSource):
        dataset = copy.copy(source.dataset)
        dataset.items = tuple(source.dataset.items[index] for index in indices)
        listing = replace(source.listing, items=dataset.items)
        return FolderSource(dataset, listing)
    if isinstance(source, StreamSource):
        return replace(source, taken=frozenset(indices))
    if not isinstance(source, TensorSource):
        return Some(source, frozenset(ids[index] for index in indices))
    rows = torch.tensor(indices, dtype=torch.int64)
    labels = None if source.labels is None else torch.as_tensor(source.labels)[rows]
    return TensorSource(source.images[rows], labels, [ids[index] for index in indices])


@dataclass(frozen=True)
class Some:
    """Some pictures of a source that can only be read from start to end, as it hands them out.

    Attributes:
        source: of all.
        ids: of those that are taken.
    """

    source: ImageSource
    ids: frozenset[str]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> bool:
        """Whether every picture has a label."""
        return self.source.labelled

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results should know."""
        return self.source.notes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """As the source has them."""
        return self.source.class_names

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        """Yield them in the source's order, ``batch_size`` of the source at a time."""
        for batch in self.source.batches(batch_size, workers, pin_memory):
            rows = [row for row, name in enumerate(batch.image_ids) if name in self.ids]
            if rows:
                names = tuple(batch.image_ids[row] for row in rows)
                images = batch.images[rows]
                digests = [
                    fingerprint(name, image.contiguous().cpu().numpy().tobytes())
                    for name, image in zip(names, images, strict=True)
                ]
                yield Batch(images, names, batch.labels[rows], add_digests(digests))
