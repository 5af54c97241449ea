"""What two audits of one scan show of pictures and classes: flips, worst and kept pictures."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from semaudit.figures import ABSOLUTE
from semaudit.findings import CLASS_FLIPS, WORST
from semaudit.folder import PICTURES
from semaudit.report.document import ClassFlip, WorstPicture
from semaudit.showcase import File, Kept, read_index, read_picture

T = TypeVar("T")

PIXELS = 0.02
"""What the pixels of a kept picture may differ by on average, of full scale: they are stored with
loss, and saliency is noise for the most part."""


def other_flips(
    before: Sequence[ClassFlip], after: Sequence[ClassFlip], tolerance: float
) -> Iterator[str]:
    """The turns of classes that did not come back."""
    old, new = (
        {f"{each.from_name} to {each.to_name} ({each.from_class} to {each.to_class})": each
         for each in flips}
        for flips in (before, after)
    )  # fmt: skip
    for name in sorted(old.keys() & new.keys()):
        then, now = old[name], new[name]
        for kind, a, b in (
            ("pictures", then.pictures, now.pictures),
            ("cells", then.cells, now.cells),
        ):
            if not math.isclose(a, b, rel_tol=tolerance):
                yield f"flips from {name} were {a:,} {kind} and are {b:,}"
    for name in _strangers(old, new, lambda each: each.pictures, CLASS_FLIPS, tolerance):
        yield f"flips from {name} are among the commonest of one of the two scans only"


def other_worst(
    before: Sequence[WorstPicture], after: Sequence[WorstPicture], tolerance: float
) -> Iterator[str]:
    """The worst pictures that did not come back."""
    old, new = ({each.image: each for each in worst} for worst in (before, after))
    for image in sorted(old.keys() & new.keys()):
        then, now = old[image], new[image]
        for name in ("shift", "cell_shift", "flip_rate"):
            if not _close(getattr(then, name), getattr(now, name), tolerance):
                yield f"{name} of the worst picture {image!r} is another"
        if (then.clean_name, then.clean_class, then.label) != (
            (now.clean_name, now.clean_class, now.label)
        ):
            yield f"the worst picture {image!r} was {then.clean_name} and is {now.clean_name}"
        # Of two cells that shift alike either may be the worst.
        alike = then.cell_shift != now.cell_shift
        if not alike and _cell(then) != _cell(now):
            yield f"the worst picture {image!r} is worst in another cell"
    for image in _strangers(old, new, lambda each: each.shift, WORST, tolerance):
        yield f"{image!r} is among the worst pictures of one of the two scans only"


def other_kept(before: Path, after: Path, tolerance: float) -> Iterator[str]:
    """The kept pictures that did not come back, of two folders.

    Raises:
        AuditError: what is kept is damaged.
    """
    old, new = (
        {} if index is None else {each.image: each for each in index.pictures}
        for index in (read_index(before), read_index(after))
    )
    for image in sorted(old.keys() & new.keys()):
        then, now = old[image], new[image]
        if not _close(then.shift, now.shift, tolerance):
            yield f"shift of the kept picture {image!r} is another"
        if then.clean.names[:1] != now.clean.names[:1]:
            yield f"the answer to the kept picture {image!r} is another"
        if then.files.keys() != now.files.keys():
            yield f"of the kept picture {image!r} other views are kept"
        elif (then.probe, then.strength) == (now.probe, now.strength):
            yield from _other_files(before, then, after, now)
    for image in _strangers(old, new, lambda each: each.shift, 1, tolerance):
        yield f"the picture {image!r} was kept by one of the two scans only"


def _other_files(before: Path, then: Kept, after: Path, now: Kept) -> Iterator[str]:
    for role in then.files:
        off = _apart(before, then.files[role], after, now.files[role])
        if off > PIXELS:
            yield (
                f"{PICTURES}/{then.files[role].name} of {then.image!r} is another picture: "
                f"{100 * off:.2g} % of full scale apart"
            )


def _apart(before: Path, old: File, after: Path, new: File) -> float:
    """How far two files' pixels lie apart on average; 1 where they are not of one size."""
    one, other = read_picture(before, old), read_picture(after, new)
    if one == other:
        return 0.0
    first, second = (
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=np.float64) / 255
        for content in (one, other)
    )
    return 1.0 if first.shape != second.shape else float(np.abs(first - second).mean())


def _strangers(
    old: Mapping[str, T],
    new: Mapping[str, T],
    size: Callable[[T], float],
    most: int,
    tolerance: float,
) -> Iterator[str]:
    """What only one of two lists of the largest holds, and not for being as large as the last.

    A list of fewer than ``most`` holds all that there is, so that none can have fallen off its end.
    """
    ended = len(old) == len(new) >= most
    for some, others in ((old, new), (new, old)):
        last = min(map(size, others.values()), default=math.nan)
        for name in sorted(some.keys() - others.keys()):
            if not (ended and _close(size(some[name]), last, tolerance)):
                yield name


def _close(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=ABSOLUTE)


def _cell(each: WorstPicture) -> tuple[str, float, int, str]:
    return each.probe, each.strength, each.to_class, each.to_name
