"""Which pictures there are, and what is on them according to their folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from semaudit.errors import ImageError, UsageError
from semaudit.images.labels import map_labels

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames

# torchvision's list: timm's own leaves out formats that it reads when told to.
EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Item:
    """One picture: its path below the data folder (with ``/``), its file, its output index."""

    image_id: str
    path: Path
    label: int | None


@dataclass(frozen=True)
class Listing:
    """The pictures in natural order, and whatever a reader of the results should know of them.

    ``class_names`` is set when the folders' names became the names of the model's outputs.
    """

    items: tuple[Item, ...]
    labelled: bool
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None


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
    pictures = _find(data)
    notes: tuple[str, ...] = ()
    if label_pattern is not None:
        labels = _labels_by_pattern(pictures, label_pattern)
        notes = _left_out(len(pictures), len(labels), label_pattern, data)
    elif ignore_labels:
        labels = {}
    else:
        labels = _labels_by_folder(pictures, data)
    taken = {name: path for name, path in pictures.items() if name in labels or not labels}
    if ignore_labels or not labels:
        items = tuple(Item(name, path, None) for name, path in taken.items())
        return Listing(items, labelled=False, notes=notes)
    mapped = map_labels(labels.values(), class_names, num_classes)
    return Listing(
        items=tuple(Item(name, path, mapped.indices[labels[name]]) for name, path in taken.items()),
        labelled=True,
        notes=notes + ((mapped.note,) if mapped.note else ()),
        class_names=mapped.class_names,
    )


def _find(data: Path) -> dict[str, Path]:
    """Every picture at or below ``data`` by image id, naturally sorted."""
    if not os.access(data, os.R_OK):
        raise ImageError(f"there is no folder or picture {data} that can be read; check --data")
    known = " ".join(EXTENSIONS)
    if data.is_file():
        if not _is_picture(data.name):
            raise ImageError(f"{data} is not a picture: its extension is none of {known}")
        return {data.name: data}
    found = {path.relative_to(data).as_posix(): path for path in _walk(data)}
    if not found:
        raise ImageError(f"no pictures in {data}: looked for {known}, in every folder below it")
    for name in found:
        if not _is_unicode(name):
            raise ImageError(f"{data}: the file name {name!r} is not valid UTF-8; rename the file")
    return {name: found[name] for name in sorted(found, key=_natural)}


def _walk(data: Path) -> Iterator[Path]:
    seen = {data.resolve()}
    for folder, folders, files in os.walk(data, followlinks=True, onerror=_unreadable):
        here = Path(folder)
        # A folder counts once, however many links lead to it: its pictures are no new evidence.
        fresh: list[str] = []
        for name in sorted(folders):
            real = (here / name).resolve()
            if not _hidden(name) and real not in seen:
                seen.add(real)
                fresh.append(name)
        folders[:] = fresh
        yield from (here / name for name in files if _is_picture(name) and not _hidden(name))


def _unreadable(error: OSError) -> NoReturn:
    raise ImageError(f"cannot list {error.filename}: {error.strerror}") from error


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _is_picture(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _is_unicode(name: str) -> bool:
    # The operating system's undecodable bytes arrive as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that puts ``img2`` before ``img10``."""
    parts = re.split(r"([0-9]+)", name.lower())
    numbered = [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]
    return numbered, name


def _labels_by_folder(names: Iterable[str], data: Path) -> dict[str, str]:
    """Image id -> class folder; empty when the pictures lie directly in ``data``."""
    names = tuple(names)
    labels = {name: name.split("/")[0] for name in names if "/" in name}
    if labels and len(labels) < len(names):
        raise ImageError(
            f"{data} holds {len(names) - len(labels)} pictures beside its class folders, so it is "
            "neither a folder of class folders nor one without labels; move them, or use "
            "--ignore-labels or --label-pattern"
        )
    return labels


def _labels_by_pattern(names: Iterable[str], pattern: str) -> dict[str, str]:
    """Image id -> label, of the ids that match."""
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"--label-pattern {pattern!r} is not a regular expression: {error}"
        ) from error
    if not regex.groups:
        raise UsageError(
            f"--label-pattern {pattern!r} has no group; put parentheses around the label, "
            "for example '_([0-9]+)[.]'"
        )
    group = "label" if "label" in regex.groupindex else 1
    matches = ((name, regex.search(name)) for name in names)
    return {name: match[group] for name, match in matches if match and match[group]}


def _left_out(total: int, taken: int, pattern: str, data: Path) -> tuple[str, ...]:
    if not taken:
        raise ImageError(
            f"none of the {total} pictures in {data} matches --label-pattern {pattern!r}, which is "
            "searched in their paths below that folder"
        )
    if taken == total:
        return ()
    return (f"{total - taken} of {total} pictures do not match --label-pattern and were left out",)


__all__ = ["EXTENSIONS", "Item", "Listing", "list_folder"]
