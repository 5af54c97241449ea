"""What the classes are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from timm.data import ImageNetInfo, infer_imagenet_subset

_WORDNET = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True)
class ClassNames:
    """The names of a classifier's classes, by index.

    Attributes:
        names: one short name a class, such as ``"tench"``; two classes may share a name.
        synonyms: every known name of each class, the short one first.
        wordnet_ids: one synset a class, such as ``"n01440764"``; empty when unknown.
    """

    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    wordnet_ids: tuple[str, ...] = ()


def class_names(num_classes: int, labels: Sequence[str] | None = None) -> ClassNames:
    """Name the classes: the model's own labels, else ImageNet's by count, else ``class 0``, ...

    Labels are its own only when there is one for each class.
    """
    return (
        _own_labels(num_classes, labels)
        or _imagenet(num_classes)
        or _from_descriptions([f"class {index}" for index in range(num_classes)])
    )


def embedding_name() -> ClassNames:
    """The one name that stands for an output without classes."""
    return ClassNames(("embedding",), (("embedding",),))


def _own_labels(num_classes: int, labels: Sequence[str] | None) -> ClassNames | None:
    if labels is None or len(labels) != num_classes:
        return None
    if all(_WORDNET.fullmatch(label) for label in labels):
        return _by_wordnet_ids(labels)
    names = tuple(labels)
    # "tench, Tinca tinca" is one name with two synonyms in it.
    synonyms = tuple(
        tuple(dict.fromkeys([name, *(part.strip() for part in name.split(",") if part.strip())]))
        for name in names
    )
    return ClassNames(names, synonyms)


def _by_wordnet_ids(labels: Sequence[str]) -> ClassNames:
    """Labels that are synsets: those of ImageNet have names."""
    info = ImageNetInfo()
    known = set(info.label_names())
    described = [
        info.label_name_to_description(label) if label in known else label for label in labels
    ]
    return _from_descriptions(described, tuple(labels))


def _imagenet(num_classes: int) -> ClassNames | None:
    subset = infer_imagenet_subset({"num_classes": num_classes})
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    return _from_descriptions(info.label_descriptions(), tuple(info.label_names()))


def _from_descriptions(descriptions: list[str], wordnet_ids: tuple[str, ...] = ()) -> ClassNames:
    """Split descriptions such as ``"tench, Tinca tinca"`` into names and synonyms."""
    synonyms = tuple(
        tuple(word.strip() for word in description.split(",") if word.strip())
        or (f"class {index}",)
        for index, description in enumerate(descriptions)
    )
    return ClassNames(tuple(words[0] for words in synonyms), synonyms, wordnet_ids)
