"""The pictures to train on: read once, split by their ids, handed out in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from semaudit.errors import ImageError, UsageError
from semaudit.finetuning.contents import READING, ids_of
from semaudit.finetuning.parts import part_of
from semaudit.images import Batch, FolderSource, ImageSource
from semaudit.images.intake import Intake

HELD = 2 << 30
"""Bytes of pictures that are kept in memory; more are read again in every epoch."""

LEAST = 4
"""Pictures that a part needs for a mean with any interval at all."""


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


def split(
    image_ids: Sequence[str],
    seed: int,
    validation: float,
    held_out: float,
    contents: Sequence[bytes] | None = None,
) -> Split:
    """Part pictures by the hash of seed and id: a picture's part hardly depends on the others.

    Copies stay together: proof on a picture that was trained on under another name is none. Where
    they would overfill a part they go to the next, so that most end in training.

    Args:
        image_ids: of the pictures.
        seed: of the split.
        validation: share for choices.
        held_out: share for the proof.
        contents: the same for copies; by default there are none.

    Raises:
        UsageError: a part would have too few pictures, or the shares leave none to train on.
    """
    if validation + held_out >= 1:
        raise UsageError(
            f"--val-share {validation:g} and --held-out {held_out:g} leave no picture to train on"
        )
    n = len(image_ids)
    same: dict[object, list[int]] = {}
    for index in sorted(range(n), key=lambda i: _key(seed, "split", image_ids[i])):
        same.setdefault(index if contents is None else contents[index], []).append(index)
    training, chosen, proven = list[int](), list[int](), list[int]()
    for group in same.values():
        room = ((proven, round(n * held_out)), (chosen, round(n * validation)), (training, n))
        next(part for part, most in room if len(part) + len(group) <= most).extend(group)
    for name, part in (("training", training), ("validation", chosen), ("held-out", proven)):
        copies = f", of which {n - len(same)} are copies," if len(same) < n else ""
        refuse_few(len(part), f"{n} pictures{copies} give {len(part)} for {name}")
    return Split(tuple(sorted(training)), tuple(sorted(chosen)), tuple(sorted(proven)))


def refuse_few(count: int, found: str) -> None:
    """Refuse a part of fewer than `LEAST` pictures; ``found`` says of how many, and why.

    Raises:
        UsageError: saying so.
    """
    if count < LEAST:
        raise UsageError(
            f"{found}, and {LEAST} are the fewest: give more pictures, or other shares with "
            "--val-share and --held-out"
        )


def order_of(image_ids: Sequence[str], seed: int, epoch: int) -> list[int]:
    """The order of an epoch, which depends on the seed, the epoch and the ids alone."""
    keys = [_key(seed, f"epoch {epoch}", image_id) for image_id in image_ids]
    return sorted(range(len(image_ids)), key=keys.__getitem__)


def _key(seed: int, what: str, image_id: str) -> bytes:
    return blake2b(f"{seed}|{what}|{image_id}".encode(), digest_size=16).digest()


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
            part = part_of(self.source, order, self.image_ids)
            for batch in part.batches(batch_size, self.workers):
                for gone in batch.unreadable:  # it could be read when all were looked at
                    raise gone.error()
                yield batch
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
    kept = not (isinstance(source, FolderSource) and _bytes(source) > HELD)
    images, labels, image_ids = _read(source, channels, classes, max_unreadable, workers, kept=kept)
    if kept:
        return Pictures(image_ids, labels, torch.cat(images), source, workers)
    ids, readable = ids_of(source) or (), set(image_ids)
    rows = [row for row, name in enumerate(ids) if name in readable]
    return Pictures(image_ids, labels, None, part_of(source, rows, ids), workers)


def _bytes(source: FolderSource) -> int:
    sizes = (batch.images[0].numel() for batch in source.batches(1) if len(batch))
    return len(source) * next(sizes, 0)


def _read(
    source: ImageSource,
    channels: int,
    classes: int,
    max_unreadable: float,
    workers: int,
    *,
    kept: bool,
) -> tuple[list[Tensor], Tensor, tuple[str, ...]]:
    """The readable pictures, if they are kept, and their labels and ids."""
    if not len(source):
        raise ImageError("there are no pictures to train on")
    intake = Intake(
        total=len(source), channels=channels, num_classes=classes, max_unreadable=max_unreadable
    )
    images: list[Tensor] = []
    labels: list[Tensor] = []
    image_ids: list[str] = []
    for batch in source.batches(READING, workers):
        intake.admit(batch)
        if len(batch):
            images += [batch.images] if kept else []
            labels.append(batch.labels)
            image_ids += batch.image_ids
    intake.close()
    return images, torch.cat(labels), tuple(image_ids)
