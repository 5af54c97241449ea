"""Pictures stacked in arrays: ``.npz``, ``.npy``, and MNIST's IDX files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from semaudit.errors import ImageError, UsageError
from semaudit.images.sources import splits
from semaudit.images.sources.arrayfiles import (
    IDX_MARK,
    names_in_npz,
    open_idx,
    open_member,
    open_npy,
)
from semaudit.images.sources.listing import Found
from semaudit.images.sources.origins import shown
from semaudit.images.sources.stacks import AnyArray, Block, PixelOrigin, opened, stack_of

SUFFIXES = (".npz", ".npy")
_IMAGES = ("images", "image", "x", "data", "imgs", "img", "pixels", "inputs")
_LABELS = ("labels", "label", "y", "targets", "target", "classes", "class")
_UNNAMED = {"arr_0": "images", "arr_1": "labels"}
_WORDS = {"images": _IMAGES, "labels": _LABELS}


@dataclass(frozen=True)
class _Arrays:
    """Where the pictures and the labels of one part of a data set are."""

    images: str
    labels: str | None


def is_idx(name: str) -> bool:
    """Whether a file name is that of pictures in IDX, such as ``t10k-images-idx3-ubyte.gz``."""
    return "images" in name and any(f"idx{rank}{IDX_MARK}" in name for rank in (3, 4))


def find_in_npz(data: Path, *, split: str | None, labels: bool, channels: int) -> Found:
    """Find pictures and labels in an ``.npz`` by the usual names of its arrays.

    These are ``x`` and ``y``, ``images`` and ``labels``, or ``arr_0`` and ``arr_1``, with the part
    before or after (``x_test``, ``test_images``).

    Raises:
        ImageError: the file is damaged, needs pickle, or holds no pictures or several parts.
        UsageError: the part asked for is not there.
    """
    names = names_in_npz(data)
    parts = _parts(names)
    part, notes = _chosen(parts, split, data)
    arrays = parts.get(part)
    if arrays is None:
        there = shown(", ".join(names)) or "none"
        raise ImageError(
            f"{data} has no pictures under a usual name, such as images and labels, x and y, or "
            f"x_test and y_test; its arrays: {there}"
        )
    found = arrays.labels if labels else None
    return _found(
        data,
        open_member(data, arrays.images),
        None if found is None else (f"{data}: {found}", open_member(data, found)),
        channels,
        notes,
        f"{data}: {arrays.images}",
    )


def find_in_npy(data: Path, *, split: str | None, labels: bool, channels: int) -> Found:
    """Find pictures in an ``.npy``, and labels in one beside it by name.

    Beside ``images.npy`` lies ``labels.npy``, beside ``x_test.npy`` ``y_test.npy``, beside any
    ``a.npy`` else ``a_labels.npy``, or ``labels.npy`` for a folder of arrays with shared labels.

    Raises:
        ImageError: a file is damaged or needs pickle, or labels and pictures differ in number.
        UsageError: a part was asked for.
    """
    if split is not None:
        raise UsageError(f"--split {split}: {data} is one array and has no parts")
    beside = _first_file(data.parent, _label_names(data.stem)) if labels else None
    found = None if beside is None else (str(beside), open_npy(beside))
    notes = () if beside is None else (f"the labels are those in {beside.name}",)
    return _found(data, open_npy(data), found, channels, notes, str(data))


def find_in_idx(data: Path, *, split: str | None, labels: bool, channels: int) -> Found:
    """Find pictures in IDX, in a file or in a folder of them, and the labels beside.

    Raises:
        ImageError: a file is damaged, there are several parts, or numbers differ.
        UsageError: the part asked for is not there.
    """
    file, notes = data, tuple[str, ...]()
    if data.is_dir():
        parts = {_idx_part(path): path for path in idx_files(data)}
        if len(parts) < len(idx_files(data)):
            raise ImageError(f"{data} holds several sets of IDX files; give the file of pictures")
        part, notes = _chosen(parts, split, data)
        file = parts[part]
    elif split is not None:
        raise UsageError(f"--split {split}: {data} is one file; give the folder that it is in")
    beside = _first_file(file.parent, _idx_label_names(file.name)) if labels else None
    found = None if beside is None else (str(beside), open_idx(beside))
    return _found(data, open_idx(file), found, channels, notes, str(file))


def idx_files(folder: Path) -> list[Path]:
    """Return the files of pictures in IDX in a folder or in ``raw`` below, each once."""
    for pattern in ("*", "raw/*", "*/raw/*"):
        paths = {path.name.removesuffix(".gz"): path for path in sorted(folder.glob(pattern))}
        if found := [path for name, path in paths.items() if is_idx(name) and path.is_file()]:
            return found
    return []


def _parts(keys: Sequence[str]) -> dict[str, _Arrays]:
    """Sort the arrays of a file by part ("" for none) and by what they hold."""
    roles: dict[str, dict[str, str]] = {}
    for key in keys:
        words = _UNNAMED.get(key.lower(), key.lower()).replace("-", "_").split("_")
        part = next((word for word in words if splits.part_of(word)), "")
        rest = "_".join(word for word in words if word != part)
        for role, usual in _WORDS.items():
            if rest in usual:
                roles.setdefault(part, {}).setdefault(role, key)
    return {
        part: _Arrays(names["images"], names.get("labels"))
        for part, names in roles.items()
        if "images" in names
    }


def _chosen(
    parts: Mapping[str, object], split: str | None, data: Path
) -> tuple[str, tuple[str, ...]]:
    named = [part for part in parts if part]
    if split is not None:
        return splits.chosen(named, split, str(data)), ()
    if "" in parts or not named:
        return "", ()
    if len(named) == 1:
        return named[0], ()
    part, note = splits.default(named, str(data))
    return part, (note,)


def _found(
    data: Path,
    images: Block,
    labels: tuple[str, Block] | None,
    channels: int,
    notes: tuple[str, ...],
    where: str,
) -> Found:
    stack, more = stack_of(images, where, channels)
    count = images.shape[0]
    return Found(
        names=[f"{index:06d}" for index in range(count)],
        origin=lambda index: PixelOrigin(stack, index),
        labels=None if labels is None else _labels(*labels, count, where),
        where=str(data),
        notes=(*notes, *more),
    )


def _labels(where: str, block: Block, count: int, pictures: str) -> list[str]:
    # An empty array cannot be mapped.
    values = np.asarray(opened(block)) if prod(block.shape) else np.empty(block.shape)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 2 and _one_hot(values):
        values = values.argmax(axis=1)
    if values.shape != (count,):
        raise ImageError(
            f"{where} has shape {values.shape} for the {count} pictures of {pictures}; labels are "
            "one output index or name each; --ignore-labels goes on without"
        )
    return texts(values, where)


def texts(values: AnyArray, where: str) -> list[str]:
    """Return labels (n,), numbers or text, as text.

    Raises:
        ImageError: they are neither whole numbers nor text.
    """
    kind = values.dtype.kind
    if kind == "f" and bool((values == np.rint(values)).all()):
        values, kind = values.astype(np.int64), "i"
    read: dict[str, Callable[[object], str]] = {
        "i": str,
        "u": str,
        "b": lambda value: str(int(bool(value))),
        "U": str,
        "S": lambda value: bytes(value).decode("utf-8", "replace"),  # type: ignore[call-overload]
    }
    if kind not in read:
        raise ImageError(f"{where} holds {values.dtype}; labels are whole numbers or names")
    distinct, which = np.unique(values, return_inverse=True)
    shared = [read[kind](value) for value in distinct.tolist()]
    return [shared[index] for index in which.tolist()]


def _one_hot(values: AnyArray) -> bool:
    if values.dtype.kind not in "biuf":
        return False
    return bool(((values == 0) | (values == 1)).all()) and bool((values.sum(axis=1) == 1).all())


def _first_file(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _label_names(stem: str) -> list[str]:
    """Return the names that the labels of ``<stem>.npy`` may have, the likeliest first."""
    words = stem.split("_")
    swapped = [
        "_".join(
            "y" if word == name == "x" else "labels" if word == name else word for word in words
        )
        for name in _IMAGES
        if name in words
    ]
    return [f"{name}.npy" for name in (*swapped, f"{stem}_labels", f"{stem}_y", "labels")]


def _idx_part(path: Path) -> str:
    words = path.name.replace(".", "-").split("-")
    return next((word for word in words if splits.part_of(word)), "")


def _idx_label_names(name: str) -> list[str]:
    plain = name.removesuffix(".gz").replace("images", "labels")
    plain = plain.replace("idx3", "idx1").replace("idx4", "idx1")
    return [plain, f"{plain}.gz"]


__all__ = ["SUFFIXES", "find_in_idx", "find_in_npy", "find_in_npz", "idx_files", "is_idx", "texts"]
