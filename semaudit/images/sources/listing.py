"""Pictures with their labels as found, and as outputs of a model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semaudit.errors import ImageError, UsageError
from semaudit.images.labels import LabelMap, map_classes, map_labels
from semaudit.images.sources.origins import Origin, shown

if TYPE_CHECKING:
    from semaudit.images.labels.classmap import ClassMap
    from semaudit.models.names import ClassNames


@dataclass(frozen=True, slots=True)
class Item:
    """One picture: its unique name, which keys the random draws, its place, its output index."""

    image_id: str
    origin: Origin
    label: int | None


@dataclass(frozen=True)
class Found:
    """Pictures of a source before anything is known of the model.

    Attributes:
        names: n unique image ids, in order.
        origin: gives the place of the picture number i.
        labels: n labels as they were found, or None.
        where: the source as messages name it.
        notes: what a reader of the results should know.
        classes: names of the labels "0", "1", ... where the source numbers and names them.
    """

    names: Sequence[str]
    origin: Callable[[int], Origin]
    labels: Sequence[str] | None
    where: str
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Targets:
    """What labels are matched with.

    Attributes:
        class_names: of the model.
        num_classes: of the model.
        class_map: from ``--class-map``; nothing else is tried when there is one.
    """

    class_names: ClassNames
    num_classes: int
    class_map: ClassMap | None = None

    def outputs(self, labels: Iterable[str], classes: Sequence[str] | None) -> LabelMap:
        """Match labels, which are numbers of ``classes`` where the source names its classes.

        Raises:
            ImageError: labels match no class.
        """
        if self.class_map is not None:
            return self.class_map.map_labels(labels, classes)
        if classes is not None:
            return map_classes(labels, classes, self.class_names, self.num_classes)
        return map_labels(labels, self.class_names, self.num_classes)


@dataclass(frozen=True)
class Listing:
    """The pictures in order, and whatever a reader of the results should know of them.

    ``class_names`` is set when the labels' names became the names of the model's outputs.
    """

    items: tuple[Item, ...]
    labelled: bool
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None


def listing_of(found: Found, targets: Targets) -> Listing:
    """Turn labels into output indices, where there are labels.

    Raises:
        ImageError: labels match no class.
    """
    if found.labels is None:
        return unlabelled(found)
    mapped = targets.outputs(set(found.labels), found.classes)
    pairs = enumerate(zip(found.names, found.labels, strict=True))
    return Listing(
        tuple(Item(name, found.origin(i), mapped.indices[label]) for i, (name, label) in pairs),
        labelled=True,
        notes=(*found.notes, *mapped.notes),
        class_names=mapped.class_names,
    )


def unlabelled(found: Found) -> Listing:
    """Leave any labels out."""
    items = tuple(Item(name, found.origin(i), None) for i, name in enumerate(found.names))
    return Listing(items, labelled=False, notes=found.notes)


def check_unique(names: Sequence[str], where: str) -> None:
    """Make sure that image ids are unique, since they key the random draws.

    Raises:
        ImageError: two are the same.
    """
    if len(set(names)) < len(names):
        ((twice, count),) = Counter(names).most_common(1)
        raise ImageError(f"{where} has {shown(twice)!r} {count} times; keep one of each name")


def by_pattern(found: Found, pattern: str) -> Found:
    """Take the labels from the image ids; pictures whose id does not match are left out.

    Raises:
        ImageError: none matches.
        UsageError: ``pattern`` is not a regular expression or has no group.
    """
    labels = _labels_by_pattern(found.names, pattern)
    if not labels:
        raise ImageError(
            f"none of the {len(found.names)} pictures in {found.where} matches --label-pattern "
            f"{pattern!r}, which is searched in their paths below it"
        )
    kept, origin = list(labels), found.origin
    notes = found.notes
    if left := len(found.names) - len(kept):
        notes += (
            f"{left} of {len(found.names)} pictures do not match --label-pattern and were left out",
        )
    return replace(
        found,
        names=[found.names[index] for index in kept],
        origin=lambda index: origin(kept[index]),
        labels=list(labels.values()),
        notes=notes,
        classes=None,
    )


def _labels_by_pattern(names: Sequence[str], pattern: str) -> Mapping[int, str]:
    """Position -> label, of the ids that match."""
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
    matches = ((index, regex.search(name)) for index, name in enumerate(names))
    return {index: match[group] for index, match in matches if match and match[group]}


__all__ = [
    "Found",
    "Item",
    "Listing",
    "Targets",
    "by_pattern",
    "check_unique",
    "listing_of",
    "unlabelled",
]
