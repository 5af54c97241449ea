"""From labels as they were found to the outputs of a model."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timm.data import ImageNetInfo

from semaudit.errors import ImageError
from semaudit.images.labels.advice import agreed, no_class
from semaudit.images.labels.ways import (
    Candidates,
    by_index,
    by_name,
    nameless,
    ways,
    wordnet_id,
)

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames


@dataclass(frozen=True)
class LabelMap:
    """What each label that was found stands for.

    ``class_names`` is set when the labels themselves became the names of the outputs, and
    ``notes`` say what was not plain.
    """

    indices: dict[str, int]
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def map_labels(found: Iterable[str], class_names: ClassNames, num_classes: int) -> LabelMap:
    """Give every label the index of a model output.

    Tried in order, each for all labels at once: WordNet ids, output indices, class names (case,
    ``_``, ``-`` and space do not matter, any synonym counts), labels that hold a WordNet id
    (``n01440764_tench``), that start with a number (``0_tench``), of which the name counts more
    than the number, and, for a model whose classes have no names, the sorted order of the labels
    when there is one for each output.

    Raises:
        ImageError: labels match no class, seem to count from 1, or a name belongs to two classes.
    """
    labels = sorted(set(found))
    _check_twins(labels)
    tried = ways(labels, class_names, num_classes)
    for candidates in tried:
        if all(candidates[label] for label in labels):
            return LabelMap(_settled(labels, candidates), notes=_doubts(labels, num_classes))
    digits = all(label.isdigit() for label in labels)
    if nameless(class_names) and len(labels) == num_classes and not digits:
        return _by_order(labels)
    nearest = max(tried, key=lambda way: sum(map(bool, way.values())))
    unmatched = [label for label in labels if not nearest[label]]
    raise ImageError(no_class(unmatched, labels, class_names, num_classes))


def map_classes(
    found: Iterable[str], classes: Sequence[str], class_names: ClassNames, num_classes: int
) -> LabelMap:
    """Give the classes of a data set, which it numbers and names, the index of a model output.

    Args:
        found: the numbers that occur, as text.
        classes: the name of each class, or several with commas between, by its number.
        class_names: of the model.
        num_classes: of the model.

    The numbers are taken as they are where the model has as many classes and no name speaks
    against it; else the names decide.

    Raises:
        ImageError: the names match none of the model's classes, or a number has no name.
    """
    numbers = sorted(set(found))
    strange = [n for n in numbers if not n.isdigit() or int(n) >= len(classes)]
    if strange:
        raise ImageError(f"the label {strange[0]} is none of the data set's {len(classes)} classes")
    words = {n: classes[int(n)].split(",")[0].strip() for n in numbers}
    named = _known(list(words.values()), class_names)
    sure = {n: named[word] for n, word in words.items() if named[word]}
    same = {number: int(number) for number in numbers}
    if len(classes) == num_classes and all(same[n] in outputs for n, outputs in sure.items()):
        return LabelMap(same, tuple(classes) if nameless(class_names) else None)
    if len(sure) < len(numbers):
        raise ImageError(
            no_class([words[n] for n in numbers if n not in sure], list(words.values()),
                     class_names, num_classes)
        )  # fmt: skip
    settled = _settled(sorted(set(words.values())), named)
    note = "the data set's classes were matched with the model's by name, not by number"
    return LabelMap({n: settled[words[n]] for n in numbers}, notes=(note,))


def _known(words: list[str], class_names: ClassNames) -> Candidates:
    """Find outputs by WordNet id or by name, of those words that have one."""
    ids = {name: frozenset({index}) for index, name in enumerate(class_names.wordnet_ids)}
    by_names = by_name(words, class_names)
    return {word: ids.get(word, by_names[word]) for word in words}


def _settled(labels: Sequence[str], candidates: Candidates) -> dict[str, int]:
    """Choose one output for each label; what others claim alone is no longer free.

    So ``crane`` is the bird when another folder can only be the machine.
    """
    alone = {
        label: next(iter(candidates[label])) for label in labels if len(candidates[label]) == 1
    }
    taken = frozenset(alone.values())
    return {
        label: alone[label] if label in alone else agreed(label, candidates[label], taken)
        for label in labels
    }


def _doubts(labels: Sequence[str], num_classes: int) -> tuple[str, ...]:
    read = by_index(labels, num_classes)
    indices = sorted(index for found in read.values() for index in found)
    if len(labels) < 2 or indices != list(range(1, len(labels) + 1)):
        return ()
    return (
        f"the labels run from 1 to {indices[-1]} and were taken as output indices, which count "
        "from 0; if yours count from 1, say so with --class-map",
    )


def _by_order(labels: list[str]) -> LabelMap:
    names = _described(labels)
    return LabelMap(
        indices={label: index for index, label in enumerate(labels)},
        class_names=names,
        notes=(
            f"the model's classes have no names: the {len(labels)} labels were taken for its "
            "outputs in sorted order, as torchvision's ImageFolder does",
        ),
    )


def _described(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the words of WordNet ids, where every label is one, else the labels themselves."""
    ids = [wordnet_id(label) for label in labels]
    if not all(ids):
        return tuple(labels)
    info = ImageNetInfo("imagenet-22k")
    known = set(info.label_names())
    words = [info.label_name_to_description(name) if name in known else name for name in ids]
    return tuple(word.split(",")[0] for word in words)


def _check_twins(labels: Sequence[str]) -> None:
    forms: dict[str, str] = {}
    for label in labels:
        other = forms.setdefault(unicodedata.normalize("NFC", label), label)
        if other != label:
            raise ImageError(
                f"the labels {other!a} and {label!a} look the same and differ in their "
                "Unicode form only; rename one of them"
            )


__all__ = ["LabelMap", "map_classes", "map_labels", "nameless"]
