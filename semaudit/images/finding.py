"""Which kind of holder of pictures a path is, and who looks into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from semaudit.errors import ImageError, UsageError
from semaudit.images.decoding import EXTENSIONS
from semaudit.images.sources import arrays, lists, tables, tars, timm_datasets
from semaudit.images.sources.folders import (
    check_readable,
    find_in_folder,
    has_pictures,
    is_picture,
    part_folder,
)
from semaudit.images.sources.listing import Found
from semaudit.images.sources.photographs import find_photographs


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    Attributes:
        split: the part to take, or None for all.
        labels: whether to look for labels.
        path_column: the column of a list with the paths, when it has no usual name.
        label_column: the column of a list, or the key in the JSON of shards, with the labels.
        channels: of the model's pictures.
    """

    split: str | None
    labels: bool
    path_column: str | None
    label_column: str | None
    channels: int


def find(data: Path | None, dataset: str | None, wanted: Wanted) -> Found:
    """Find the pictures in whatever ``data`` is; none is opened.

    Args:
        data: a file, a folder or a pattern; None for photographs that are shipped.
        dataset: a name that timm's ``create_dataset`` knows, or None.
        wanted: what to look for.

    Raises:
        ImageError: they cannot be listed.
        UsageError: settings that do not suit them.
    """
    if dataset is not None and not timm_datasets.is_folder(dataset):
        return timm_datasets.find_in_dataset(
            dataset, data, wanted.split, labels=wanted.labels, channels=wanted.channels
        )
    if data is None:
        if dataset is not None:
            raise UsageError(f"--dataset {dataset!r} needs --data, a folder of pictures")
        return find_photographs()
    if tars.is_pattern(data):
        return _in_tars(data, wanted)
    check_readable(data)
    return _in_folder(data, wanted) if data.is_dir() else _in_file(data, wanted)


def refuse_missing(data: Path | None, dataset: str | None) -> None:
    """Refuse, before any work, a folder or file that is not there; patterns are looked at later.

    Raises:
        ImageError: there is nothing, or it cannot be read.
    """
    by_timm = dataset is not None and not timm_datasets.is_folder(dataset)
    if data is not None and not by_timm and not tars.is_pattern(data):
        check_readable(data)


def refuse_idle_columns(data: Path | None, dataset: str | None, wanted: Wanted) -> None:
    """Refuse named columns where nothing has any.

    Raises:
        ImageError: the pictures are not there.
        UsageError: naming the flag.
    """
    if wanted.path_column is None and wanted.label_column is None:
        return
    if dataset is not None and not timm_datasets.is_folder(dataset):
        what, listed, sharded = f"--dataset {dataset}", False, False
    elif data is None:
        what, listed, sharded = "the smoke test", False, False
    else:
        if not tars.is_pattern(data):
            check_readable(data)
        what = str(data)
        listed = not data.is_dir() and data.suffix.lower() in tables.SUFFIXES
        sharded = wanted.label_column is not None and _is_sharded(data, wanted)
    if wanted.path_column is not None and not listed:
        raise UsageError(f"--path-column goes with a list of paths, and {what} is none")
    if wanted.label_column is not None and not (listed or sharded):
        raise UsageError(
            f"--label-column goes with a list of paths or with tar shards, and {what} is neither"
        )


def _is_sharded(data: Path, wanted: Wanted) -> bool:
    """Whether `find` will read tar shards there."""
    if not data.is_dir():
        return tars.is_pattern(data) or tars.is_tar(data.name)
    try:
        folder, _ = part_folder(data, wanted.split)
    except UsageError:
        folder = data
    return not has_pictures(folder) and bool(tars.shards_of(folder))


def _in_file(data: Path, wanted: Wanted) -> Found:
    suffix = data.suffix.lower()
    if suffix in tables.SUFFIXES:
        return lists.find_in_list(
            data,
            split=wanted.split,
            labels=wanted.labels,
            path_column=wanted.path_column,
            label_column=wanted.label_column,
        )
    if tars.is_tar(data.name):
        return _in_tars(data, wanted)
    find = {".npz": arrays.find_in_npz, ".npy": arrays.find_in_npy}.get(suffix)
    if find is None and arrays.is_idx(data.name):
        find = arrays.find_in_idx
    if find is not None:
        return find(data, split=wanted.split, labels=wanted.labels, channels=wanted.channels)
    if is_picture(data.name) and wanted.split is not None:
        raise UsageError(f"--split {wanted.split}: {data} is a single picture")
    if is_picture(data.name):
        return find_in_folder(data, labels=wanted.labels)
    others = " ".join((*tables.SUFFIXES, ".tar", *arrays.SUFFIXES))
    raise ImageError(
        f"{data} is not a picture: its extension is none of {' '.join(EXTENSIONS)}; nor a list, "
        f"an archive or an array: {others}, or MNIST's idx3-ubyte"
    )


def _in_folder(data: Path, wanted: Wanted) -> Found:
    try:
        folder, notes = part_folder(data, wanted.split)
    except UsageError:
        # The names of shards and of MNIST's files tell parts, too.
        if not (tars.shards_of(data) or arrays.idx_files(data)):
            raise
        folder, notes = data, ()
    if folder != data:
        wanted = replace(wanted, split=None)
    if not has_pictures(folder) and tars.shards_of(folder):
        found = _in_tars(folder, wanted)
    elif not has_pictures(folder) and arrays.idx_files(folder):
        found = arrays.find_in_idx(
            folder, split=wanted.split, labels=wanted.labels, channels=wanted.channels
        )
    else:
        found = find_in_folder(folder, labels=wanted.labels)
    return replace(found, notes=(*notes, *found.notes))


def _in_tars(data: Path, wanted: Wanted) -> Found:
    return tars.find_in_tars(
        data, split=wanted.split, labels=wanted.labels, label_key=wanted.label_column
    )
