"""The front door: whatever holds pictures becomes a source of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from semaudit.errors import UsageError
from semaudit.images.batches import Batch, batches
from semaudit.images.decoding import WHITE, Background
from semaudit.images.finding import Wanted, find, refuse_idle_columns
from semaudit.images.labels.classmap import read_class_map
from semaudit.images.reading import ImageDataset
from semaudit.images.sampling import take
from semaudit.images.sources import timm_datasets
from semaudit.images.sources.folders import list_folder
from semaudit.images.sources.listing import Listing, Targets, by_pattern, listing_of, unlabelled
from semaudit.images.sources.photographs import find_photographs
from semaudit.images.sources.streams import StreamSource, open_stream

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames
    from semaudit.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class FolderSource:
    """Pictures that are read one by one: files, members of archives, rows of arrays."""

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
        """The labels' names, where the model has none of its own."""
        return self.listing.class_names

    def batches(
        self, batch_size: int, workers: int = 0, pin_memory: bool = False
    ) -> Iterator[Batch]:
        """Yield the pictures in order; see `semaudit.images.batches.batches`.

        Raises:
            ImageError: a picture cannot be read, or a worker process died.
        """
        return batches(self.dataset, batch_size, workers, pin_memory)


def open_pictures(
    data: Path | None,
    preprocessing: Preprocessing,
    class_names: ClassNames,
    num_classes: int,
    *,
    dataset: str | None = None,
    split: str | None = None,
    class_map: Path | None = None,
    label_pattern: str | None = None,
    ignore_labels: bool = False,
    num_samples: int | None = None,
    seed: int = 0,
    path_column: str | None = None,
    label_column: str | None = None,
    background: Background = WHITE,
) -> FolderSource | StreamSource:
    """List, label and sample the pictures at ``data``; hardly one is opened yet.

    Args:
        data: a folder, a picture, a list (CSV, TSV, JSON lines, Parquet), tar archives (one, a
            folder of them, or a pattern), arrays (``.npz``, ``.npy``, IDX), the root of a
            ``dataset``; None for a few photographs as a smoke test.
        preprocessing: the model's.
        class_names: the model's.
        num_classes: the model's.
        dataset: a name that timm's ``create_dataset`` knows, such as ``torch/cifar10``.
        split: the part to take: a subfolder, a value of the column ``split``, a word in the names
            of arrays or shards, or the data set's own split.
        class_map: a file that says which output each label stands for.
        label_pattern: a regular expression searched in each image id; its group ``label``, or its
            first, is the label, and pictures that do not match are left out.
        ignore_labels: take the pictures without labels.
        num_samples: how many to take, as evenly over the classes as can be.
        seed: of that choice.
        path_column: the column of a list with the paths, when it has no usual name.
        label_column: the column of a list, or the key in the JSON of shards, with the labels.
        background: what transparent pictures lie over.

    Raises:
        ImageError: the pictures cannot be listed or labelled.
        UsageError: settings that are wrong, or do not suit the pictures.
    """
    _check_settings(data, dataset, split, ignore_labels, label_pattern, class_map, label_column)
    labels = not ignore_labels and label_pattern is None
    wanted = Wanted(split, labels, path_column, label_column, preprocessing.input_size[0])
    refuse_idle_columns(data, dataset, wanted)
    chosen_map = None if class_map is None else read_class_map(class_map, num_classes)
    targets = Targets(class_names, num_classes, chosen_map)
    if dataset is not None and timm_datasets.is_streamed(dataset):
        if label_pattern is not None:
            raise UsageError(
                f"--label-pattern does not go with --dataset {dataset}: it has no image names"
            )
        return open_stream(
            dataset, data, preprocessing, targets,
            split=split, ignore_labels=ignore_labels, num_samples=num_samples,
            background=background,
        )  # fmt: skip
    found = find(data, dataset, wanted)
    if label_pattern is not None:
        found = by_pattern(found, label_pattern)
    if class_map is not None and found.labels is None:
        raise UsageError(
            f"--class-map says what labels stand for, and the pictures of {found.where} have none"
        )
    listing = unlabelled(found) if ignore_labels else listing_of(found, targets)
    items = take(listing.items, num_samples, seed)
    return FolderSource(ImageDataset(items, preprocessing, background), listing)


def _check_settings(
    data: Path | None,
    dataset: str | None,
    split: str | None,
    ignore_labels: bool,
    label_pattern: str | None,
    class_map: Path | None,
    label_column: str | None,
) -> None:
    """Refuse settings that would have no effect.

    Raises:
        UsageError: naming the two that do not go together.
    """
    if data is None and dataset is None and (split or class_map or label_pattern):
        raise UsageError("--split, --class-map and --label-pattern need --data")
    if ignore_labels and class_map is not None:
        raise UsageError("--class-map says what labels stand for, and --ignore-labels drops them")
    if label_column is not None and (ignore_labels or label_pattern is not None):
        other = "--ignore-labels" if ignore_labels else "--label-pattern"
        raise UsageError(f"--label-column does not go with {other}")


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
    """List, label and sample the pictures in a folder; none is opened yet.

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
    items = take(listing.items, num_samples, seed)
    return FolderSource(ImageDataset(items, preprocessing), listing)


def open_photographs(preprocessing: Preprocessing, background: Background = WHITE) -> FolderSource:
    """Open a few photographs that scikit-image ships, without labels, for a smoke test.

    Raises:
        UsageError: it is not installed.
    """
    listing = unlabelled(find_photographs())
    return FolderSource(ImageDataset(listing.items, preprocessing, background), listing)


__all__ = ["FolderSource", "open_folder", "open_photographs", "open_pictures"]
