"""Finds architectures that are one module under several names, such as XCiT's image sizes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from semaudit.models.architectures.differences import (
    GOES_WITH_SIZE,
    module_facts,
    preprocessing_facts,
)
from semaudit.models.architectures.meta import built
from semaudit.models.architectures.tree import Leaf


@dataclass(frozen=True)
class Groups:
    """Numbers that tell names apart where the tensors, but for the picture size, do not.

    Attributes:
        kin: one number for all names of the same module with the same preprocessing; those
            without such another name are left out. Only the image size by default, and the
            pretrained weights, may differ.
        looks: one number for the same layers, mean and standard deviation. Crop and interpolation
            may differ too, which go with the size that weights were trained at. What has tensors
            of its own is left out.
    """

    kin: Mapping[str, int]
    looks: Mapping[str, int]


@dataclass(frozen=True)
class _Identity:
    tensors: int
    layers: str
    preprocessing: str
    colours: str

    @property
    def kin(self) -> Hashable:
        return self.tensors, self.layers, self.preprocessing

    @property
    def look(self) -> Hashable:
        return self.tensors, self.layers, self.colours


def groups(archs: Mapping[str, Mapping[str, Leaf]]) -> Groups:
    """Group timm's names whose tensors are the same but for the picture size.

    Args:
        archs: each architecture's marked leaves.
    """
    alike: dict[object, list[str]] = {}
    for arch, leaves in archs.items():
        alike.setdefault(tuple((n, _unsized(leaf)) for n, leaf in leaves.items()), []).append(arch)
    found = {
        arch: _identity(number, arch, names)
        for number, names in enumerate(group for group in alike.values() if len(group) > 1)
        for arch in names
    }
    kin = _gathered((identity.kin, arch) for arch, identity in found.items())
    looks = _gathered((identity.look, arch) for arch, identity in found.items())
    return Groups(_numbered([names for names in kin if len(names) > 1]), _numbered(looks))


def _gathered(pairs: Iterable[tuple[Hashable, str]]) -> list[list[str]]:
    found: dict[Hashable, list[str]] = {}
    for key, arch in pairs:
        found.setdefault(key, []).append(arch)
    return list(found.values())


def _numbered(found: Sequence[Sequence[str]]) -> dict[str, int]:
    return {arch: number for number, names in enumerate(found) for arch in names}


def _unsized(leaf: Leaf) -> Leaf:
    return tuple("s" if str(dim).startswith("s") else dim for dim in leaf)


def _identity(tensors: int, arch: str, names: Sequence[str]) -> _Identity:
    """What a module is and how its pictures are prepared, at an image size common to all."""
    settings = preprocessing_facts(arch)
    size = preprocessing_facts(names[0])["input_size"]
    side = int(size.strip("()").split(", ")[1])
    try:
        module = built(arch, num_classes=10, img_size=side)
    except TypeError:  # it takes no image size
        module = built(arch, num_classes=10)
    colours = {name: value for name, value in settings.items() if name not in GOES_WITH_SIZE}
    return _Identity(
        tensors, repr(module_facts(module)), repr({**settings, "input_size": ""}), repr(colours)
    )
