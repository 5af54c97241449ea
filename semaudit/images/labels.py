"""From the names of class folders to the outputs of a model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semaudit.errors import ImageError, did_you_mean

if TYPE_CHECKING:
    from semaudit.models.names import ClassNames

_WORDNET = re.compile(r"n[0-9]{8}")
_GENERIC = re.compile(r"class [0-9]+")
_SHOWN = 3  # how many labels that match nothing a message names

Candidates = Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class LabelMap:
    """What each label found on disk stands for.

    ``class_names`` is set when the labels themselves became the names of the outputs, and
    ``note`` says why.
    """

    indices: dict[str, int]
    class_names: tuple[str, ...] | None = None
    note: str | None = None


def map_labels(found: Iterable[str], class_names: ClassNames, num_classes: int) -> LabelMap:
    """Give every label the index of a model output.

    Tried in order, each for all labels at once: WordNet ids, output indices, class names
    (case, ``_``, ``-`` and space do not matter, any synonym counts), and, for a model whose
    classes have no names, the sorted order of the labels when there is one for each output.

    Raises:
        ImageError: labels match no class, or a name belongs to two classes.
    """
    labels = sorted(set(found))
    ways = (
        _by_wordnet(labels, class_names.wordnet_ids),
        _by_index(labels, num_classes),
        _by_name(labels, class_names),
    )
    for candidates in ways:
        if all(candidates[label] for label in labels):
            return LabelMap({label: _only(label, candidates[label]) for label in labels})
    if _nameless(class_names) and len(labels) == num_classes:
        return _by_order(labels)
    nearest = max(ways, key=lambda way: sum(map(bool, way.values())))
    unmatched = [label for label in labels if not nearest[label]]
    raise ImageError(_no_class(unmatched, labels, class_names, num_classes))


def _by_wordnet(labels: Sequence[str], wordnet_ids: Sequence[str]) -> Candidates:
    outputs = _invert(enumerate((name,) for name in wordnet_ids))
    return {
        label: outputs.get(label, frozenset()) if _WORDNET.fullmatch(label) else frozenset()
        for label in labels
    }


def _by_index(labels: Sequence[str], num_classes: int) -> Candidates:
    def index(label: str) -> frozenset[int]:
        # isascii: int() also reads digits such as '٣', which no one means as an index.
        valid = label.isascii() and label.isdigit() and int(label) < num_classes
        return frozenset({int(label)} if valid else ())

    return {label: index(label) for label in labels}


def _by_name(labels: Sequence[str], class_names: ClassNames) -> Candidates:
    named = [(index, (name,)) for index, name in enumerate(class_names.names)]
    outputs = _invert([*named, *enumerate(class_names.synonyms)])
    return {label: outputs.get(_fold(label), frozenset()) for label in labels}


def _by_order(labels: list[str]) -> LabelMap:
    return LabelMap(
        indices={label: index for index, label in enumerate(labels)},
        class_names=tuple(labels),
        note=(
            f"the model's classes have no names: the {len(labels)} labels were taken for its "
            "outputs in sorted order, as torchvision's ImageFolder does"
        ),
    )


def _invert(names: Iterable[tuple[int, Iterable[str]]]) -> Candidates:
    outputs: defaultdict[str, set[int]] = defaultdict(set)
    for index, synonyms in names:
        for name in synonyms:
            outputs[_fold(name)].add(index)
    return {name: frozenset(indices) for name, indices in outputs.items()}


def _fold(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold())).strip()


def _nameless(class_names: ClassNames) -> bool:
    generic = all(_GENERIC.fullmatch(name) for name in class_names.names)
    return generic and not class_names.wordnet_ids


def _only(label: str, candidates: frozenset[int]) -> int:
    if len(candidates) > 1:
        outputs = " and ".join(map(str, sorted(candidates)))
        raise ImageError(
            f"the label {label!r} is the name of {len(candidates)} classes of the model (outputs "
            f"{outputs}); use WordNet ids or output indices as labels instead"
        )
    return next(iter(candidates))


def _no_class(
    unmatched: Sequence[str], labels: Sequence[str], class_names: ClassNames, num_classes: int
) -> str:
    known = [name for names in (class_names.names, *class_names.synonyms) for name in names]
    nearest = {name.casefold(): name for name in known}

    def hint(label: str) -> str:
        return did_you_mean(re.sub(r"[_-]+", " ", label.casefold()), nearest)

    shown = ", ".join(f"{label!r}{hint(label)}" for label in unmatched[:_SHOWN])
    more = ", ..." if len(unmatched) > _SHOWN else ""
    return (
        f"{len(unmatched)} of {len(labels)} labels match none of the model's {num_classes} "
        f"classes: {shown}{more}; --data is the folder that holds the class folders, and each "
        "of them is named by a WordNet id, an output index or a class name; to go on without "
        "labels, use --ignore-labels"
    )
