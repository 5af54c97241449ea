"""Images that are already in memory, for the Python API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from semaudit.errors import ImageError, UsageError
from semaudit.images.batches import Batch, add_digests
from semaudit.images.reading import NO_LABEL, fingerprint


@dataclass(frozen=True, eq=False)
class TensorSource:
    """Images (n, c, h, w), floats in [0, 1] at the model's input size, as a source.

    Attributes:
        images: kept as float32 on the CPU.
        labels: n output indices, or None.
        image_ids: n unique names; "000000", "000001", ... unless given. They key the random
            draws, so that the same image under the same id is perturbed alike in every scan.

    Raises:
        ImageError: wrong shape or type, values outside [0, 1] or not finite, or labels or ids
            that do not fit the images.
    """

    images: Tensor
    labels: Tensor | Sequence[int] | None = None
    image_ids: Sequence[str] | None = None
    notes: tuple[str, ...] = field(default=(), init=False)
    class_names: tuple[str, ...] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        images = _checked_images(self.images)
        # A frozen dataclass normalises its own fields only this way.
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", _checked_labels(self.labels, len(images)))
        object.__setattr__(self, "image_ids", _checked_ids(self.image_ids, len(images)))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""
        return self.labels is not None

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        """Yield the images in order; there is nothing to read, so ``workers`` is not used.

        Raises:
            UsageError: ``batch_size`` is below 1.
        """
        if batch_size < 1:
            raise UsageError(f"the batch size is {batch_size}; it must be at least 1")
        pin = pin_memory and torch.cuda.is_available()
        starts = range(0, len(self), batch_size)
        cut = (self._batch(slice(start, start + batch_size)) for start in starts)
        return (batch.pin_memory() if pin else batch for batch in cut)

    def _batch(self, part: slice) -> Batch:
        images = self.images[part]
        ids = tuple((self.image_ids or ())[part])
        labels = torch.full((len(images),), NO_LABEL) if self.labels is None else self.labels[part]
        content = (image.contiguous().numpy().tobytes() for image in images)
        digests = [fingerprint(name, data) for name, data in zip(ids, content, strict=True)]
        return Batch(images, ids, torch.as_tensor(labels), add_digests(digests))


def _checked_images(images: Tensor) -> Tensor:
    if images.ndim != 4 or not images.numel():
        raise ImageError(
            f"images have shape {tuple(images.shape)}; they must be (n, c, h, w), none of them 0"
        )
    if not images.is_floating_point():
        raise ImageError(f"images are {images.dtype}; divide by their full scale: floats in [0, 1]")
    if not bool(images.isfinite().all()):
        raise ImageError("images hold values that are not finite (NaN or infinity)")
    low, high = (float(bound) for bound in images.detach().aminmax())
    if low < 0 or high > 1:
        raise ImageError(
            f"images lie in [{low:.4g}, {high:.4g}] and must lie in [0, 1]: neither bytes nor "
            "normalised by mean and standard deviation, which is done inside the classifier"
        )
    return images.detach().to("cpu", torch.float32)


def _checked_labels(labels: Tensor | Sequence[int] | None, count: int) -> Tensor | None:
    if labels is None:
        return None
    wanted = f"labels must be {count} output indices, 0 or more, one for each image"
    try:
        tensor = torch.as_tensor(labels)
    except (TypeError, ValueError) as error:
        raise ImageError(f"{wanted}; they are not numbers: {error}") from error
    if tensor.shape != (count,) or tensor.is_floating_point():
        raise ImageError(f"{wanted}; they are {tensor.dtype} of shape {tuple(tensor.shape)}")
    if bool((tensor < 0).any()):
        raise ImageError(f"{wanted}; the lowest is {tensor.min().item()}")
    return tensor.to("cpu", torch.int64)


def _checked_ids(image_ids: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if image_ids is None:
        return tuple(f"{index:06d}" for index in range(count))
    ids = tuple(image_ids)
    if len(ids) != count or len(set(ids)) != count:
        raise ImageError(f"image ids must be {count} distinct names, one for each image")
    return ids


__all__ = ["TensorSource"]
