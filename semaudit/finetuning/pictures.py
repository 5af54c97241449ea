"""The pictures to train on: read once, split by their ids, handed out in any order."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import torch
from torch import Tensor

from semaudit.errors import ImageError, UsageError
from semaudit.images import Batch, FolderSource, ImageSource, TensorSource
from semaudit.images.batches import batches
from semaudit.images.intake import Intake

HELD = 2 << 30
"""Bytes of pictures that are kept in memory; more are read again in every epoch."""

LEAST = 4
"""Pictures that a part needs for a mean with any interval at all."""

_READING = 64


@dataclass(frozen=True)
class Split:
    """Where each picture goes: indices into the source, in its order.

    Attributes:
        training: what gradients are taken on.
        validation: what every choice is made on.
        held_out: what the proof is on, touched once.
    """

    training: tuple[int, ...]
    validation: tuple[int, ...]
    held_out: tuple[int, ...]


def split(image_ids: Sequence[str], seed: int, validation: float, held_out: float) -> Split:
    """Part pictures by the hash of seed and id: a picture's part hardly depends on the others.

    Raises:
        UsageError: a part would have too few pictures, or the shares leave none to train on.
    """
    if validation + held_out >= 1:
        raise UsageError(
            f"--val-share {validation:g} and --held-out {held_out:g} leave no picture to train on"
        )
    n = len(image_ids)
    order = sorted(range(n), key=lambda i: _key(seed, "split", image_ids[i]))
    proof, choices = round(n * held_out), round(n * validation)
    parts = order[proof + choices :], order[proof : proof + choices], order[:proof]
    for name, part in zip(("training", "validation", "held-out"), parts, strict=True):
        if len(part) < LEAST:
            raise UsageError(
                f"{n} pictures give {len(part)} for {name}, and {LEAST} are the fewest: give more "
                "pictures, or other shares with --val-share and --held-out"
            )
    training, chosen, proven = (tuple(sorted(part)) for part in parts)
    return Split(training, chosen, proven)


def order_of(image_ids: Sequence[str], seed: int, epoch: int) -> list[int]:
    """The order of an epoch, which depends on the seed, the epoch and the ids alone."""
    keys = [_key(seed, f"epoch {epoch}", image_id) for image_id in image_ids]
    return sorted(range(len(image_ids)), key=keys.__getitem__)


def _key(seed: int, what: str, image_id: str) -> bytes:
    return blake2b(f"{seed}|{what}|{image_id}".encode(), digest_size=16).digest()


def ids_of(source: ImageSource) -> tuple[str, ...] | None:
    """The ids of a source's pictures without reading one; None where it does not tell."""
    if isinstance(source, FolderSource):
        return tuple(item.image_id for item in source.dataset.items)
    return tuple(source.image_ids or ()) if isinstance(source, TensorSource) else None


def part_of(source: ImageSource, indices: Sequence[int]) -> ImageSource:
    """A source of some of the pictures, in the order given."""
    if isinstance(source, FolderSource):
        dataset = copy.copy(source.dataset)
        dataset.items = tuple(source.dataset.items[index] for index in indices)
        listing = replace(source.listing, items=dataset.items)
        return FolderSource(dataset, listing)
    if not isinstance(source, TensorSource):
        raise TypeError(f"{type(source).__name__} cannot be taken in part")
    rows = torch.tensor(indices, dtype=torch.int64)
    labels = None if source.labels is None else torch.as_tensor(source.labels)[rows]
    names = source.image_ids or ()
    return TensorSource(source.images[rows], labels, [names[index] for index in indices])


def in_memory(source: ImageSource, channels: int, classes: int) -> TensorSource:
    """Read a source that is read from start to end, such as remote shards, once."""
    images, labels, image_ids = _read(source, channels, classes, 1.0)
    known = labels if source.labelled else None
    return TensorSource(images.float().div(255) if not images.is_floating_point() else images,
                        known, image_ids)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with labels that can be had in any order.

    Attributes:
        image_ids: n of them.
        labels: (n,) output indices, -1 for none.
        images: (n, c, h, w), uint8 or float32; None where they are read again each time.
        source: where they are read from.
        workers: processes that read.
    """

    image_ids: tuple[str, ...]
    labels: Tensor
    images: Tensor | None
    source: ImageSource
    workers: int = 0

    def __len__(self) -> int:
        return len(self.image_ids)

    def batches(self, order: Sequence[int], batch_size: int) -> Iterator[Batch]:
        """Yield the pictures at these indices, ``batch_size`` at a time."""
        if self.images is None:
            part = part_of(self.source, order)
            if not isinstance(part, FolderSource):
                raise TypeError("pictures in memory are not read again")
            yield from batches(part.dataset, batch_size, self.workers)
            return
        for start in range(0, len(order), batch_size):
            rows = torch.tensor(order[start : start + batch_size], dtype=torch.int64)
            names = tuple(self.image_ids[index] for index in rows.tolist())
            yield Batch(self.images[rows], names, self.labels[rows], 0)


def read_pictures(
    source: ImageSource, channels: int, classes: int, max_unreadable: float, workers: int
) -> Pictures:
    """Read the pictures into memory, if they fit there; check that they suit the model.

    Raises:
        ImageError: too many cannot be read, or they do not suit the model.
    """
    if isinstance(source, FolderSource) and _bytes(source) > HELD:
        items = source.dataset.items
        labels = torch.tensor([-1 if item.label is None else item.label for item in items])
        return Pictures(ids_of(source) or (), labels, None, source, workers)
    images, labels, image_ids = _read(source, channels, classes, max_unreadable, workers)
    return Pictures(image_ids, labels, images, source, workers)


def _bytes(source: FolderSource) -> int:
    first = next(iter(source.batches(1)))
    return len(source) * first.images[0].numel() if len(first) else 0


def _read(
    source: ImageSource, channels: int, classes: int, max_unreadable: float, workers: int = 0
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    if not len(source):
        raise ImageError("there are no pictures to train on")
    intake = Intake(
        total=len(source), channels=channels, num_classes=classes, max_unreadable=max_unreadable
    )
    images: list[Tensor] = []
    labels: list[Tensor] = []
    image_ids: list[str] = []
    for batch in source.batches(_READING, workers):
        intake.admit(batch)
        if len(batch):
            images.append(batch.images)
            labels.append(batch.labels)
            image_ids += batch.image_ids
    intake.close()
    return torch.cat(images), torch.cat(labels), tuple(image_ids)
