"""Finds architectures that are one module under several names, such as XCiT's image sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from semaudit.models.architectures.differences import module_facts, preprocessing_facts
from semaudit.models.architectures.meta import built
from semaudit.models.architectures.tree import Leaf


def kin(archs: Mapping[str, Mapping[str, Leaf]]) -> list[list[str]]:
    """Group timm's names of the same module with the same preprocessing.

    Only the image size by default, and the pretrained weights, may differ within a group.

    Args:
        archs: each architecture's marked leaves.
    """
    alike: dict[object, list[str]] = {}
    for arch, leaves in archs.items():
        alike.setdefault(tuple((n, _unsized(leaf)) for n, leaf in leaves.items()), []).append(arch)
    groups: dict[object, list[str]] = {}
    for number, names in enumerate(group for group in alike.values() if len(group) > 1):
        for arch in names:
            groups.setdefault((number, _identity(arch, names)), []).append(arch)
    return [group for group in groups.values() if len(group) > 1]


def _unsized(leaf: Leaf) -> Leaf:
    return tuple("s" if str(dim).startswith("s") else dim for dim in leaf)


def _identity(arch: str, names: Sequence[str]) -> str:
    """What a module is and how its pictures are prepared, at an image size common to all."""
    settings = preprocessing_facts(arch)
    size = preprocessing_facts(names[0])["input_size"]
    side = int(size.strip("()").split(", ")[1])
    try:
        module = built(arch, num_classes=10, img_size=side)
    except TypeError:  # it takes no image size
        module = built(arch, num_classes=10)
    return repr((module_facts(module), {**settings, "input_size": ""}))
