"""What to tell someone whose labels do not fit the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from semaudit.errors import ImageError, did_you_mean
from semaudit.images.labels.ways import nameless
from semaudit.images.sources.origins import shown

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames

_SHOWN = 3  # how many labels that match nothing a message names
_LONGEST_HINT = 100  # comparing longer labels with thousands of names takes seconds


def agreed(label: str, candidates: frozenset[int], taken: frozenset[int]) -> int:
    """Choose the one candidate that no other label stands for.

    Raises:
        ImageError: there is not exactly one.
    """
    free = candidates - taken
    if len(free) == 1:
        return next(iter(free))
    outputs = " and ".join(map(str, sorted(candidates)))
    raise ImageError(
        f"the label {shown(label)!r} is the name of {len(candidates)} classes of the model "
        f"(outputs {outputs}), and the other labels leave open which is meant; use WordNet ids or "
        "output indices as labels instead, or --class-map"
    )


def one_based(labels: Sequence[str], num_classes: int) -> str:
    """Return advice for labels that seem to count from 1, else an empty string."""
    if not all(label.isascii() and label.isdigit() and len(label) < 10 for label in labels):
        return ""
    numbers = {int(label) for label in labels}
    if max(numbers) != num_classes or 0 in numbers:
        return ""
    return (
        f"; outputs count from 0 to {num_classes - 1}, and these labels seem to count from 1: say "
        "what each means with --class-map, a file with a label and its output index on each line"
    )


def no_class(
    unmatched: Sequence[str], labels: Sequence[str], class_names: ClassNames, num_classes: int
) -> str:
    """Return the message about labels that match none of the model's classes."""
    counted = one_based(labels, num_classes)
    numbered = any(label.isdigit() for label in labels)
    if nameless(class_names) and len(labels) != num_classes and not numbered:
        return _other_count(labels, num_classes)
    known = [name for names in (class_names.names, *class_names.synonyms) for name in names]
    nearest = {name.casefold(): name for name in known}

    def hint(label: str) -> str:
        short = len(label) <= _LONGEST_HINT
        return did_you_mean(re.sub(r"[_-]+", " ", label.casefold()), nearest) if short else ""

    names = ", ".join(f"{shown(label)!r}{hint(label)}" for label in unmatched[:_SHOWN])
    more = ", ..." if len(unmatched) > _SHOWN else ""
    return (
        f"{len(unmatched)} of {len(labels)} labels match none of the model's {num_classes} "
        f"classes: {names}{more}{counted}; a label is a WordNet id, an "
        "output index or a class name (with class folders, --data is the folder that holds them); "
        "--class-map FILE says what other labels mean, --ignore-labels goes on without"
    )


def _other_count(labels: Sequence[str], num_classes: int) -> str:
    names = ", ".join(repr(shown(label)) for label in labels[:_SHOWN])
    more = ", ..." if len(labels) > _SHOWN else ""
    return (
        f"{len(labels)} of {len(labels)} labels match none of the model's {num_classes} classes, "
        f"which have no names: {names}{more}; and {len(labels)} labels are not one for each of "
        f"{num_classes} outputs, which could be taken in sorted order. Say what each stands for "
        "with --class-map FILE, a label and its output index (from 0) on each line, or check that "
        "--data is the folder that holds the class folders; --ignore-labels goes on without"
    )


__all__ = ["agreed", "no_class", "one_based"]
