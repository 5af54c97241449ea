"""Pictures in a folder: which there are, and what is on them according to their folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from semaudit.errors import ImageError
from semaudit.files import is_utf8
from semaudit.images.decoding import EXTENSIONS
from semaudit.images.sources.listing import (
    Found,
    Item,
    Listing,
    Targets,
    by_pattern,
    listing_of,
    unlabelled,
)
from semaudit.images.sources.origins import FileOrigin, shown
from semaudit.images.sources.splits import chosen, default, part_of

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames


def list_folder(
    data: Path,
    *,
    class_names: ClassNames,
    num_classes: int,
    label_pattern: str | None = None,
    ignore_labels: bool = False,
) -> Listing:
    """List a folder of class folders, a flat folder without labels, or a single picture.

    ``label_pattern`` is a regular expression searched in each image id; its group ``label``, or
    its first group, is the label, and pictures that do not match are left out.

    Raises:
        ImageError: no such folder, no pictures in it, pictures both beside and inside class
            folders, or labels that match no class.
        UsageError: ``label_pattern`` is not a regular expression or has no group.
    """
    found = find_in_folder(data, labels=label_pattern is None and not ignore_labels)
    if label_pattern is not None:
        found = by_pattern(found, label_pattern)
    return (
        unlabelled(found) if ignore_labels else listing_of(found, Targets(class_names, num_classes))
    )


def find_in_folder(data: Path, *, labels: bool) -> Found:
    """Find the pictures at or below ``data``, naturally sorted.

    Raises:
        ImageError: there are none, or they lie both beside and inside class folders although
            ``labels`` are wanted.
    """
    check_readable(data)
    known = " ".join(EXTENSIONS)
    if data.is_file():
        if not is_picture(data.name):
            raise ImageError(f"{data} is not a picture: its extension is none of {known}")
        folder, names = data.parent, [data.name]
    else:
        folder, names = data, list(_walk(data))
        if not names:
            raise ImageError(f"no pictures in {data}: looked for {known}, in every folder below it")
    for name in names:
        if not is_utf8(name):
            raise ImageError(
                f"{data}: the file name {shown(name)!r} is not valid UTF-8; rename the file"
            )
    names.sort(key=natural)
    root = str(folder)
    return Found(
        names=names,
        origin=lambda index: FileOrigin(root, names[index]),
        labels=labels_by_folder(names, str(data)) if labels else None,
        where=str(data),
    )


def part_folder(data: Path, split: str | None) -> tuple[Path, tuple[str, ...]]:
    """Go into the subfolder of a part such as ``val/``; the note says which was taken unasked.

    A folder whose subfolders are all named as parts is no problem of two classes.

    Raises:
        ImageError: no part was asked for and several could be meant.
        UsageError: there is no such part.
    """
    with os.scandir(data) as entries:
        folders = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] != ".")
    if split is not None:
        return data / chosen(folders, split, str(data)), ()
    if not folders or not all(map(part_of, folders)):
        return data, ()
    # A lone folder may be the class "train", of railways.
    if len(folders) == 1 and not any(path.is_dir() for path in (data / folders[0]).iterdir()):
        return data, ()
    name, note = default(folders, str(data))
    return data / name, (note,)


def check_readable(data: Path) -> None:
    """Make sure that something is there.

    Raises:
        ImageError: there is nothing, or it cannot be read.
    """
    try:
        readable = os.access(data, os.R_OK)
    except ValueError:  # a NUL in the name
        readable = False
    if not readable:
        raise ImageError(
            f"there is no folder or picture {shown(str(data))} that can be read; check --data"
        )


def labels_by_folder(names: Sequence[str], where: str) -> list[str] | None:
    """Take the first folder of each name for its label; None when there are no folders.

    Raises:
        ImageError: some names have a folder and some have none.
    """
    # One string a class, not one a picture: a million small strings are a hundred megabytes.
    labels: dict[str, str] = {}
    heads = (name.partition("/") for name in names)
    found = [labels.setdefault(head, head) for head, slash, _ in heads if slash]
    if found and len(found) < len(names):
        raise ImageError(
            f"{where} holds {len(names) - len(found)} pictures beside its class folders, so it is "
            "neither a folder of class folders nor one without labels; move them, or use "
            "--ignore-labels or --label-pattern"
        )
    return found or None


def has_pictures(folder: Path) -> bool:
    """Whether there is a picture in a folder or below."""
    return next(_walk(folder), None) is not None


def is_picture(name: str) -> bool:
    """Whether a file name has the extension of a picture."""
    return name.lower().endswith(EXTENSIONS)


def natural(name: str) -> tuple[str, str]:
    """Return a key that puts ``img2`` before ``img10``."""
    return re.sub("[0-9]+", _sortable, name.lower()), name


def _sortable(digits: re.Match[str]) -> str:
    number = digits[0].lstrip("0")
    return f"\0{len(number):06d}{number}\0"


def _walk(data: Path) -> Iterator[str]:
    """Yield the path of each picture below the folder, with ``/``."""
    seen = {data.resolve()}
    for folder, folders, files in os.walk(data, followlinks=True, onerror=_unreadable):
        here = Path(folder)
        # A folder counts once, however many links lead to it: its pictures are no new evidence.
        fresh: list[str] = []
        for name in sorted(folders):
            real = (here / name).resolve()
            if not hidden(name) and real not in seen:
                seen.add(real)
                fresh.append(name)
        folders[:] = fresh
        below = here.relative_to(data).as_posix()
        prefix = "" if below == "." else f"{below}/"
        yield from (prefix + name for name in files if is_picture(name) and not hidden(name))


def _unreadable(error: OSError) -> NoReturn:
    raise ImageError(f"cannot list {error.filename}: {error.strerror}") from error


def hidden(name: str) -> bool:
    """Whether a file or folder is hidden by its name."""
    return name.startswith(".")


__all__ = [
    "EXTENSIONS",
    "Item",
    "Listing",
    "check_readable",
    "find_in_folder",
    "has_pictures",
    "hidden",
    "is_picture",
    "labels_by_folder",
    "list_folder",
    "natural",
    "part_folder",
]
