"""Batches of pictures, read by worker processes that leave no trace."""

from __future__ import annotations

import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from semaudit.errors import ImageError, UsageError
from semaudit.images.reading import ImageDataset, Sample, Unreadable

_DIGEST_MODULUS = 2**256
_DEAD_WORKER = re.compile("DataLoader worker .* (killed|exited)")


@dataclass(frozen=True)
class Batch:
    """Some images of a source.

    Attributes:
        images: (n, c, h, w), uint8 from files, float32 in [0, 1] from tensors; (0, 0, 0, 0) when
            none of the batch could be read.
        image_ids: n ids, unique in their source.
        labels: (n,) int64 output indices, -1 for none.
        digest: sum of the images' sha256 digests modulo 2**256: the sum over a source's batches
            does not depend on their order or size.
        unreadable: the images that could not be read; they are in none of the above.
    """

    images: Tensor
    image_ids: tuple[str, ...]
    labels: Tensor
    digest: int
    unreadable: tuple[Unreadable, ...] = ()

    def __len__(self) -> int:
        return len(self.image_ids)

    def pin_memory(self) -> Batch:
        """Return the batch with its images in page-locked memory (DataLoader calls this)."""
        return replace(self, images=self.images.pin_memory())


def add_digests(digests: Sequence[int]) -> int:
    """Combine digests of images or batches; the order does not matter."""
    return sum(digests) % _DIGEST_MODULUS


def as_float(images: Tensor, device: torch.device | str) -> Tensor:
    """Move images to ``device``; uint8 becomes float32 in [0, 1], floats stay as they are."""
    moved = images.to(device, non_blocking=True)
    # Divided there, not here: a byte a channel crosses the bus instead of four.
    return moved if moved.is_floating_point() else moved.to(torch.float32).div_(255)


def batches(
    dataset: ImageDataset, batch_size: int, workers: int = 0, pin_memory: bool = False
) -> Iterator[Batch]:
    """Yield the dataset's batches in order; workers end when the iterator does.

    A batch holds ``batch_size`` pictures less those that cannot be read, which it names.

    Raises:
        ImageError: a worker process died.
        UsageError: ``batch_size`` is below 1 or ``workers`` below 0.
    """
    if batch_size < 1:
        raise UsageError(f"--batch-size is {batch_size}; it must be at least 1")
    if workers < 0:
        raise UsageError(f"--workers is {workers}; it must be 0 or more")
    return _iterate(dataset, batch_size, workers, pin_memory and torch.cuda.is_available())


def _iterate(
    dataset: ImageDataset, batch_size: int, workers: int, pin_memory: bool
) -> Iterator[Batch]:
    stream: Iterator[Batch] = iter(())
    try:
        with _quiet_start():
            stream = iter(_loader(dataset, batch_size, workers, pin_memory))
        while (batch := _next(stream, workers)) is not None:
            yield batch
    finally:
        # Not left to `__del__`: the traceback of Ctrl-C keeps the stream alive, and with it the
        # workers. Absent when there are none.
        getattr(stream, "_shutdown_workers", lambda: None)()


def _loader(
    dataset: ImageDataset, batch_size: int, workers: int, pin_memory: bool
) -> DataLoader[Batch]:
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # typed by its samples, which _collate turns to batches
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        worker_init_fn=_start_worker,
        # A generator of its own: the loader would draw from torch's global one.
        generator=torch.Generator(),
    )


def _next(stream: Iterator[Batch], workers: int) -> Batch | None:
    try:
        return next(stream, None)
    except (RuntimeError, OSError, EOFError) as error:
        # A dead worker also shows as a broken connection. Reading errors never get here.
        if isinstance(error, RuntimeError) and not _DEAD_WORKER.match(str(error)):
            raise
        raise ImageError(
            f"one of the {workers} loader processes died, most often because memory (or shared "
            "memory, /dev/shm) ran out; use fewer --workers or a smaller --batch-size"
        ) from error


def _collate(samples: Sequence[Sample | Unreadable]) -> Batch:
    good = [sample for sample in samples if isinstance(sample, Sample)]
    images = [sample.image for sample in good]
    return Batch(
        images=torch.stack(images) if images else torch.empty((0, 0, 0, 0), dtype=torch.uint8),
        image_ids=tuple(sample.image_id for sample in good),
        labels=torch.tensor([sample.label for sample in good], dtype=torch.int64),
        digest=add_digests([sample.digest for sample in good]),
        unreadable=tuple(sample for sample in samples if isinstance(sample, Unreadable)),
    )


def _start_worker(_: int) -> None:
    # Ctrl-C reaches the whole process group: the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Stopped while it takes a batch over, the parent hangs up, of which the thread that hands it
    # out would print a traceback. What goes wrong with a picture does not come this way.
    sys.excepthook = _say_nothing
    torch.set_num_threads(1)


def _say_nothing(*_: object) -> None:
    """Stand in for ``sys.excepthook``."""


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start workers without torch's advice on their number, and deaf to Ctrl-C from the start.

    A worker inherits the blocked signal, so that none can die between its birth and
    `_start_worker`; the parent gets a Ctrl-C that came meanwhile right afterwards.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            yield
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        on_child = signal.getsignal(signal.SIGCHLD)
        try:
            yield
        finally:
            # torch would raise at whatever line runs when a worker dies; `next` notices it too.
            in_main = threading.current_thread() is threading.main_thread()
            if in_main and on_child is not None:
                signal.signal(signal.SIGCHLD, on_child)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


__all__ = ["Batch", "add_digests", "as_float", "batches"]
