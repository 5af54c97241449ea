"""What the classes are called."""

from __future__ import annotations

from dataclasses import dataclass

from timm.data import ImageNetInfo, infer_imagenet_subset
from torch import nn


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


def class_names(num_classes: int, module: nn.Module) -> ClassNames:
    """Name the classes: the model's own labels, else ImageNet's by count, else ``class 0``, ..."""
    return (
        _own_labels(num_classes, getattr(module, "pretrained_cfg", None))
        or _imagenet(num_classes)
        or _from_descriptions([f"class {index}" for index in range(num_classes)])
    )


def _own_labels(num_classes: int, config: object) -> ClassNames | None:
    """Labels that came with fine-tuned weights from the hub, when there is one for each class."""
    labels = config.get("label_names") if isinstance(config, dict) else None
    if not isinstance(labels, (list, tuple)) or len(labels) != num_classes:
        return None
    names = tuple(str(label) for label in labels)
    return ClassNames(names, tuple((name,) for name in names))


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
