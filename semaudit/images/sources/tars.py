"""Pictures in uncompressed tar archives: WebDataset shards, or class folders packed as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from semaudit.errors import ImageError, UsageError
from semaudit.images.sources import splits
from semaudit.images.sources.folders import hidden, is_picture, labels_by_folder, natural
from semaudit.images.sources.listing import Found, check_unique
from semaudit.images.sources.origins import SpanOrigin, shown
from semaudit.images.sources.tarindex import Member, label_in, members_of

SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]+)\.\.([0-9]+)")
_MOST_SHARDS = 1_000_000
_SIDECARS = ("cls", "json", "txt")  # the order in which a label is looked for


@dataclass(frozen=True, slots=True)
class _Picture:
    name: str
    member: Member
    sidecars: tuple[Member | None, ...]


def is_pattern(data: Path) -> bool:
    """Whether a path stands for several shards, such as ``shard-{000..003}.tar``."""
    return bool(_BRACES.search(str(data))) and not data.exists()


def shards_of(data: Path) -> list[Path]:
    """Return the archives that a path stands for: itself, those in a folder, or of a pattern.

    Raises:
        UsageError: the pattern is no pattern, or one of its archives is not there.
    """
    if data.is_dir():
        found = (path for path in data.iterdir() if is_tar(path.name) and not hidden(path.name))
        return sorted(found, key=lambda path: natural(path.name))
    if not is_pattern(data):
        return [data]
    shards = [Path(name) for name in _expanded(str(data))]
    lost = [shard for shard in shards if not shard.is_file()]
    if lost:
        raise UsageError(
            f"{data} stands for {len(shards)} archives, and {len(lost)} of them are not there, "
            f"the first {lost[0]}"
        )
    return shards


def is_tar(name: str) -> bool:
    """Whether a file name is that of a tar archive, compressed or not."""
    return name.lower().endswith(SUFFIXES)


def find_in_tars(
    data: Path, *, split: str | None, labels: bool, label_key: str | None = None
) -> Found:
    """Find the pictures in the shards that ``data`` stands for; each is indexed once, by header.

    Members with one name up to the first dot belong together, as in WebDataset: the label of
    ``a/07.jpg`` is in ``a/07.cls``, in ``a/07.json`` (under ``label_key``, or a usual name), or
    else in ``a/07.txt``. Where there is none of these, the first folder is the label.

    Raises:
        ImageError: an archive is compressed, damaged or holds no pictures, or some of its
            pictures have labels and others have none.
        UsageError: the pattern or the split is not there.
    """
    shards, notes = _of_split(shards_of(data), split, data)
    pictures = [picture for shard in shards for picture in _pictures(shard, len(shards) > 1)]
    if not pictures:
        raise ImageError(f"no pictures in the {len(shards)} tar archives of {data}")
    pictures.sort(key=lambda picture: natural(picture.name))
    names = [picture.name for picture in pictures]
    check_unique(names, str(data))
    return Found(
        names=names,
        origin=lambda index: _origin(pictures[index].member),
        labels=_labels(pictures, data, label_key) if labels else None,
        where=str(data),
        notes=notes,
    )


def _origin(member: Member) -> SpanOrigin:
    return SpanOrigin(member.archive, member.name, member.offset, member.size)


def _pictures(shard: Path, several: bool) -> list[_Picture]:
    """Gather the pictures of one archive; of several, its name is part of their names."""
    pictures: list[Member] = []
    sidecars: dict[str, Member] = {}
    for member in members_of(shard):
        if is_picture(member.name):
            pictures.append(member)
        elif _extension(member.name) in _SIDECARS:
            sidecars[f"{_key(member.name)}.{_extension(member.name)}"] = member
    prefix = f"{shard.name}/" if several else ""
    return [
        _Picture(
            prefix + member.name,
            member,
            tuple(sidecars.get(f"{_key(member.name)}.{kind}") for kind in _SIDECARS),
        )
        for member in pictures
    ]


def _key(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


def _extension(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[2].lower()


def _labels(pictures: Sequence[_Picture], data: Path, label_key: str | None) -> list[str] | None:
    for place, kind in enumerate(_SIDECARS):
        members = [picture.sidecars[place] for picture in pictures]
        there = [member for member in members if member is not None]
        if not there or (label_key is not None and kind != "json"):
            continue
        shared: dict[str, str] = {}
        texts = (None if m is None else label_in(m, kind, label_key) for m in members)
        found = [None if text is None else shared.setdefault(text, text) for text in texts]
        labels = [label for label in found if label is not None]
        if len(labels) == len(pictures):
            return labels
        if labels:
            lost = next(p.name for p, label in zip(pictures, found, strict=True) if label is None)
            raise ImageError(
                f"{data}: {len(pictures) - len(labels)} of {len(pictures)} pictures have no label "
                f"in a .{kind} of their name, the first {shown(lost)!r}; use --ignore-labels"
            )
    if label_key is not None:
        raise UsageError(f"{data}: no .json beside a picture has {label_key!r}")
    return labels_by_folder([picture.member.name for picture in pictures], str(data))


def _of_split(
    shards: Sequence[Path], split: str | None, data: Path
) -> tuple[list[Path], tuple[str, ...]]:
    """Choose the shards that have a part in their name, such as ``x-validation-07.tar``."""
    parts = [_part(shard) for shard in shards]
    known = {part for part in parts if part}
    notes: tuple[str, ...] = ()
    if split is not None:
        wanted = splits.chosen(known, split, str(data))
    elif len(known) > 1:
        wanted, note = splits.default(known, str(data))
        notes = (note,)
    else:
        return list(shards), ()
    return [shard for shard, part in zip(shards, parts, strict=True) if part == wanted], notes


def _part(shard: Path) -> str:
    words = re.split(r"[-_.]", shard.name)
    return next((word for word in words if splits.part_of(word)), "")


def _expanded(pattern: str) -> Iterable[str]:
    pieces = _BRACES.split(pattern)
    choices = [[piece] if i % 2 == 0 else _choices(piece) for i, piece in enumerate(pieces)]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > _MOST_SHARDS:
        raise UsageError(f"{shown(pattern)} stands for {total} archives; that is too many")
    return ("".join(chosen) for chosen in product(*choices))


def _choices(inside: str) -> list[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        return inside.split(",")
    first, last, width = int(numbers[1]), int(numbers[2]), len(numbers[1])
    if not first <= last < first + _MOST_SHARDS:
        raise UsageError(f"{{{inside}}} is no range of shards; write it as {{000..007}}")
    return [str(number).zfill(width) for number in range(first, last + 1)]


__all__ = ["SUFFIXES", "find_in_tars", "is_pattern", "is_tar", "shards_of"]
