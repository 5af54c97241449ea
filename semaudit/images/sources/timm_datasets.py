"""``--dataset``: the data sets that timm knows how to read, local and without downloading."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timm.data import create_dataset

from semaudit.errors import ImageError, UsageError
from semaudit.images.sources.listing import Found
from semaudit.images.sources.origins import shown

# Prefix of a name -> the package behind it.
_PACKAGES = {
    "hfds": "datasets",
    "hfids": "datasets",
    "tfds": "tensorflow_datasets",
    "wds": "webdataset",
}
_EXTRAS = {"hfids": "hfds"}  # the others are called as the prefix
_STREAMED = {"hfids", "tfds", "wds"}
_FOLDERS = {"", "folder", "image_folder", "torch/folder", "torch/image_folder"}
_NAMES = "torch/cifar10, torch/mnist, ..., hfds/NAME, wds/, tfds/NAME"


@dataclass(frozen=True, slots=True)
class DatasetOrigin:
    """One picture of a data set with random access."""

    dataset: Any
    name: str
    index: int

    @property
    def where(self) -> str:
        """The data set, and which of its pictures it is, counted from 0."""
        return shown(f"{self.name}: number {self.index}")

    def read(self) -> bytes | Image.Image:
        """Fetch the picture; see `Origin.read`."""
        reader = getattr(self.dataset, "reader", None)
        if reader is None:
            picture: Image.Image = self.dataset[self.index][0]
            return picture
        # Not through timm's wrapper, which puts the next picture in an unreadable one's place.
        with reader[self.index][0] as file:
            content: bytes = file.read()
        return content


def is_folder(name: str) -> bool:
    """Whether the name stands for plain class folders, which need no library."""
    return name.lower() in _FOLDERS


def is_streamed(name: str) -> bool:
    """Whether the data set can only be read from its start to its end."""
    return name.partition("/")[0].lower() in _STREAMED


def open_dataset(name: str, data: Path | None, split: str | None, channels: int) -> Any:
    """Open a data set through timm; its files are looked for below ``data``.

    Raises:
        ImageError: it is not there, or cannot be read.
        UsageError: there is no such data set, split or library.
    """
    prefix, slash, rest = name.partition("/")
    prefix = prefix.lower()
    if not slash or prefix not in {"torch", *_PACKAGES}:
        raise UsageError(f"--dataset {name}: no such data set; known are {_NAMES}")
    if data is None and prefix in {"torch", "wds"}:
        raise UsageError(f"--dataset {name} needs --data, the folder that its files are in")
    root = None if data is None else str(data)
    try:
        with _quiet():
            return create_dataset(
                f"{prefix}/{rest}", root=root, split=split or "validation", download=False,
                is_training=False, input_img_mode="L" if channels == 1 else "RGB",
                # It asks for a number where none is known, and reads to the end all the same.
                num_samples=1 if prefix == "hfids" else None,
            )  # fmt: skip
    except ImportError as error:
        raise _missing(name, prefix, error) from error
    except AssertionError as error:
        raise UsageError(f"--dataset {name}: {first_line(error)}") from error
    # Whatever the libraries raise: RuntimeError, ValueError, ConnectionError, their own kinds.
    except Exception as error:
        if prefix == "wds" and "Please install" in str(error):
            raise _missing(name, prefix, error) from error
        asked = f" and --split {split}" if split else " (its split: validation; see --split)"
        raise ImageError(
            f"--dataset {name} with --data {root}{asked} cannot be opened: {first_line(error)}; "
            "semaudit itself downloads nothing"
        ) from error


def find_in_dataset(
    name: str, data: Path | None, split: str | None, *, labels: bool, channels: int
) -> Found:
    """Find the pictures of a data set with random access: torchvision's and Hugging Face's.

    Raises:
        ImageError: it is not there, cannot be read, or has no single label for each picture.
        UsageError: there is no such data set, split or library.
    """
    dataset = open_dataset(name, data, split, channels)
    count = len(dataset)
    if not count:
        raise ImageError(f"--dataset {name} is empty")
    found = _labels(dataset, name) if labels else None
    if found is not None and len(found) != count:
        raise ImageError(f"--dataset {name} has {len(found)} labels for {count} pictures")
    # Test sets whose labels are secret carry -1.
    secret = found is not None and set(found) == {"-1"}
    note = (f"--dataset {name} keeps the labels of this split secret",) if secret else ()
    return Found(
        names=[f"{index:06d}" for index in range(count)],
        origin=lambda index: DatasetOrigin(dataset, name, index),
        labels=None if secret else found,
        where=f"--dataset {name}",
        notes=note,
        classes=class_list(dataset),
    )


def class_list(dataset: Any) -> tuple[str, ...] | None:
    """Return the names of a data set's classes by number, or None."""
    holder = getattr(dataset, "reader", dataset)
    for attribute in ("wnids", "class_to_idx", "classes"):
        names = getattr(holder, attribute, None)
        if isinstance(names, dict):
            names = _by_number(names)
        if names:
            return tuple(", ".join(n) if isinstance(n, (tuple, list)) else str(n) for n in names)
    return None


def _by_number(indices: dict[str, int]) -> list[str] | None:
    """Return the first name of each number, when the numbers are 0, 1, 2, ..."""
    names: dict[int, str] = {}
    for name, index in indices.items():
        names.setdefault(int(index), str(name))
    whole = sorted(names) == list(range(len(names)))
    return [names[index] for index in sorted(names)] if whole else None


def _labels(dataset: Any, name: str) -> list[str] | None:
    reader = getattr(dataset, "reader", None)
    if reader is not None:
        column = reader.label_key
        if column not in reader.dataset.column_names:
            return None
        values: Sequence[Any] = reader.dataset[column][:]
    else:
        if not hasattr(dataset, "targets"):
            raise ImageError(f"--dataset {name} tells no labels; --ignore-labels goes on without")
        values = dataset.targets
    numbers = [-1 if value is None else value for value in values]
    array = np.asarray(numbers)
    if array.ndim == 2 and name.lower().endswith("qmnist"):
        array = array[:, 0]  # the others say who wrote it
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise ImageError(
            f"--dataset {name} has not one label for each picture; --ignore-labels goes on without"
        )
    shared = {value: str(value) for value in np.unique(array).tolist()}
    return [shared[value] for value in array.tolist()]


def _missing(name: str, prefix: str, error: Exception) -> UsageError:
    if prefix not in _PACKAGES:
        return UsageError(f"--dataset {name} needs a library: {first_line(error)}")
    return UsageError(
        f"--dataset {name} needs the package {_PACKAGES[prefix]}: pip install "
        f"'semaudit[{_EXTRAS.get(prefix, prefix)}]'"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error of a library, for a message."""
    lines = str(error).strip().splitlines()
    return shown(lines[0]) if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' advice and progress bars from the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


__all__ = [
    "DatasetOrigin",
    "class_list",
    "find_in_dataset",
    "first_line",
    "is_folder",
    "is_streamed",
    "open_dataset",
]
