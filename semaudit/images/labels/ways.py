"""The ways in which a label can name an output: WordNet id, index, name, or several of them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames

_INSIDE = re.compile(r"(?<![0-9A-Za-z])n[0-9]{8}(?![0-9A-Za-z])")
_GENERIC = re.compile(r"class [0-9]+")
_NUMBERED = re.compile(r"([0-9]+)[ ._-]+(.*[^\W\d_].*)", re.DOTALL)
_LONGEST_INDEX = 9  # digits

Candidates: TypeAlias = Mapping[str, frozenset[int]]
"""The outputs that each label may stand for; none where the way does not apply."""


def ways(
    labels: Sequence[str], class_names: ClassNames, num_classes: int
) -> tuple[Candidates, ...]:
    """Return what each way makes of each label, the plainest way first."""
    whole = dict(zip(labels, labels, strict=True))
    inside = {label: wordnet_id(label) for label in labels}
    return (
        _by_wordnet(whole, class_names.wordnet_ids),
        by_index(labels, num_classes),
        by_name(labels, class_names),
        _by_wordnet(inside, class_names.wordnet_ids),
        _by_numbered_name(labels, class_names, num_classes),
        _by_number(labels, num_classes),
    )


def nameless(class_names: ClassNames) -> bool:
    """Whether the classes have no names but ``class 0``, ``class 1``, ..."""
    generic = all(_GENERIC.fullmatch(name) for name in class_names.names)
    return generic and not class_names.wordnet_ids


def wordnet_id(label: str) -> str:
    """Return the one WordNet id in a label such as ``tench-n01440764``, or an empty string."""
    found = _INSIDE.findall(label)
    return found[0] if len(found) == 1 else ""


def by_index(labels: Iterable[str], num_classes: int) -> Candidates:
    """Read labels as output indices; leading zeros do not matter."""

    def index(label: str) -> frozenset[int]:
        # isascii: int() also reads digits such as '٣', which no one means as an index.
        plain = label.isascii() and label.isdigit() and len(label.lstrip("0")) <= _LONGEST_INDEX
        return frozenset({int(label)} if plain and int(label) < num_classes else ())

    return {label: index(label) for label in labels}


def by_name(labels: Iterable[str], class_names: ClassNames) -> Candidates:
    """Match labels with names and synonyms; a class's first name counts more than a synonym.

    Where only the case tells two classes apart, as ImageNet's Cardigan (a dog) and cardigan (a
    garment), it counts if the labels keep it: some have capitals and some have none. Of several
    classes of one first name, as ImageNet's two called maillot, the one without other names has
    it; where labels are whole lists of synonyms, that one has it in any case.
    """
    labels = list(labels)
    first = _invert((index, (name,)) for index, name in enumerate(class_names.names))
    lists = [", ".join(words) for words in class_names.synonyms]
    other = _invert((i, (*words, lists[i])) for i, words in enumerate(class_names.synonyms))
    listed = any("," in label for label in labels)
    cased = len({label == label.lower() for label in labels}) == 2

    def outputs(label: str) -> frozenset[int]:
        name = fold(label)
        found = first.get(name) or other.get(name, frozenset())
        if len(found) > 1 and (listed or len({class_names.names[i] for i in found}) == 1):
            found = frozenset(i for i in found if fold(lists[i]) == name) or found
        if cased and len(found) > 1:
            spelt = (i for i in found if _plain(class_names.names[i]) == _plain(label))
            found = frozenset(spelt) or found
        return found

    return {label: outputs(label) for label in labels}


def fold(name: str) -> str:
    """Reduce a name to what counts: case, ``_``, ``-``, space and Unicode form do not."""
    return _plain(name.casefold())


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", unicodedata.normalize("NFC", name))).strip()


def _by_wordnet(ids: Mapping[str, str], wordnet_ids: Sequence[str]) -> Candidates:
    outputs = {name: frozenset({index}) for index, name in enumerate(wordnet_ids)}
    return {label: outputs.get(name, frozenset()) for label, name in ids.items()}


def _by_numbered_name(
    labels: Sequence[str], class_names: ClassNames, num_classes: int
) -> Candidates:
    """Read ``0_tench`` as tench; the number only settles which of two classes of one name."""
    numbers, names = _numbers(labels), _names(labels)
    by_names = by_name(names.values(), class_names)
    by_numbers = by_index(numbers.values(), num_classes)

    def outputs(label: str) -> frozenset[int]:
        named = by_names[names[label]]
        return named & by_numbers[numbers[label]] or named

    return {label: outputs(label) if label in names else frozenset() for label in labels}


def _by_number(labels: Sequence[str], num_classes: int) -> Candidates:
    numbers = _numbers(labels)
    outputs = by_index(numbers.values(), num_classes)
    return {label: outputs.get(numbers.get(label, ""), frozenset()) for label in labels}


def _numbers(labels: Iterable[str]) -> dict[str, str]:
    """Return the number that each label starts with, of those that go on with a name."""
    return {label: match[1] for label in labels if (match := _NUMBERED.fullmatch(label))}


def _names(labels: Iterable[str]) -> dict[str, str]:
    return {label: match[2] for label in labels if (match := _NUMBERED.fullmatch(label))}


def _invert(names: Iterable[tuple[int, Iterable[str]]]) -> Candidates:
    outputs: defaultdict[str, set[int]] = defaultdict(set)
    for index, synonyms in names:
        for name in synonyms:
            outputs[fold(name)].add(index)
    return {name: frozenset(indices) for name, indices in outputs.items()}


__all__ = ["Candidates", "by_index", "by_name", "fold", "nameless", "ways", "wordnet_id"]
