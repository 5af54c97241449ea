"""Data sets that can only be read from start to end, such as remote shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import IterableDataset

from semaudit.errors import ImageError
from semaudit.images.batches import Batch, batches
from semaudit.images.decoding import WHITE, Background, DecodeError
from semaudit.images.decoding.transforms import Transform
from semaudit.images.reading import Sample, Unreadable, sample
from semaudit.images.sampling import check_count
from semaudit.images.sources.listing import Targets
from semaudit.images.sources.origins import Content
from semaudit.images.sources.timm_datasets import class_list, first_line, open_dataset

if TYPE_CHECKING:
    from semaudit.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class StreamSource:
    """The first pictures of a data set, in its own order.

    Not supported: worker processes, a choice balanced over the classes (``--num-samples`` takes
    the first), and ``--label-pattern``, since the pictures have no names.

    Attributes:
        dataset: iterates over pairs of picture and label.
        name: of the data set, for messages.
        count: how many pictures are taken.
        labels: the output of each label as text; None leaves labels out.
        transform: makes a tensor of each picture.
        notes: what a reader of the results should know.
        class_names: the data set's names of the classes, where the model has none of its own.
        taken: the numbers of those that are taken; None takes all. The others are not decoded.
    """

    dataset: Any
    name: str
    count: int
    labels: Mapping[str, int] | None
    transform: Transform
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    taken: frozenset[int] | None = None

    def __len__(self) -> int:
        return self.count if self.taken is None else len(self.taken)

    @property
    def labelled(self) -> bool:
        """Whether every picture has a label."""
        return self.labels is not None

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        """Yield the pictures in order; ``workers`` is not used.

        Raises:
            ImageError: a picture cannot be read, or the data set fails.
        """
        return batches(_Samples(self), batch_size, 0, pin_memory)  # type: ignore[arg-type]

    def contents(self) -> Iterator[tuple[str, Content, Any]]:
        """Yield id, undecoded content and label of the pictures in order."""
        for index, (picture, label) in enumerate(_pairs(self.dataset, self.name, self.count)):
            if self.taken is None or index in self.taken:
                yield f"{index:06d}", picture, label


class _Samples(IterableDataset[Sample | Unreadable]):
    def __init__(self, source: StreamSource) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Sample | Unreadable]:
        source = self.source
        for image_id, picture, label in source.contents():
            output = None if source.labels is None else source.labels[_text(label)]
            try:
                yield sample(picture, image_id, output, source.transform)
            except DecodeError as error:
                yield Unreadable(f"{source.name}: number {int(image_id)}", str(error))


def open_stream(
    name: str,
    data: Path | None,
    preprocessing: Preprocessing,
    targets: Targets,
    *,
    split: str | None,
    ignore_labels: bool,
    num_samples: int | None,
    background: Background = WHITE,
) -> StreamSource:
    """Open a data set that is read in order, and read it once to count pictures and labels.

    Raises:
        ImageError: it is not there, fails, is empty, or labels match no class.
        UsageError: there is no such data set, split or library, or a bad ``num_samples``.
    """
    check_count(num_samples)
    dataset = open_dataset(name, data, split, preprocessing.input_size[0])
    where = f"--dataset {name}"
    count, seen = 0, dict[str, None]()
    for _, label in _pairs(dataset, where, num_samples):
        count += 1
        seen[_text(label)] = None
    if not count:
        raise ImageError(f"{where} gave no pictures; check --split")
    first = (f"{where} can only be read in order: the first {count} pictures were taken",)
    notes = first if count == num_samples else ()
    transform = Transform(preprocessing, background)
    if ignore_labels or set(seen) == {"-1"}:
        return StreamSource(dataset, where, count, None, transform, notes)
    labels = targets.outputs(seen, class_list(dataset))
    return StreamSource(
        dataset, where, count, labels.indices, transform, notes + labels.notes, labels.class_names
    )


def _pairs(dataset: Any, where: str, count: int | None) -> Iterator[tuple[Any, Any]]:
    try:
        yield from islice(iter(dataset), count)
    # Whatever the libraries raise on broken shards or a broken connection.
    except Exception as error:
        raise ImageError(f"{where} cannot be read: {first_line(error)}") from error


def _text(label: Any) -> str:
    if isinstance(label, (list, tuple)):
        raise ImageError("a picture has several labels; --ignore-labels goes on without")
    return "-1" if label is None else str(label)


__all__ = ["StreamSource", "open_stream"]
