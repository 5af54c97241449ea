"""The shipped index of architectures: what tensors each has, and what their sizes depend on."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from semaudit.models.architectures.tree import Forest

DATA = Path(__file__).parent / "index.json.xz"


@dataclass(frozen=True)
class Entry:
    """One architecture.

    Attributes:
        arch: timm's name, or torchvision's after ``torchvision:``.
        full: the root of its tensors in the forest, head included.
        body: the same without the head.
        num_classes: its class count by default; 0 for an embedding model.
        size: the image height and width that it is built for by default.
        options: further arguments that it takes to be built so.
        kin: a number shared by the names of one module; negative where it has one name.
        look: a number shared by what has the same tensors but for the picture size, the same
            layers, mean and standard deviation; negative where no other has such tensors.
        published: the class counts of the weights that timm or torchvision publishes of it, 0 for
            embeddings.
    """

    arch: str
    full: int
    body: int
    num_classes: int
    size: tuple[int, int]
    options: Mapping[str, object]
    kin: int
    look: int
    published: frozenset[int]


@dataclass(frozen=True, eq=False)  # there is one, known by its identity
class Index:
    """All architectures, and the versions of the libraries that they were read from."""

    timm: str
    torchvision: str
    forest: Forest
    entries: tuple[Entry, ...]


@cache
def published(arch: str) -> frozenset[int]:
    """Return the class counts that an architecture was published with; none where it was not."""
    # torchvision's Inceptions have two entries, of the same weights.
    return next((entry.published for entry in load().entries if entry.arch == arch), frozenset())


@cache
def load() -> Index:
    """Read the shipped index."""
    return unpacked(json.loads(lzma.decompress(DATA.read_bytes())))


def unpacked(content: Mapping[str, Any]) -> Index:
    """Make an index of what ``build.packed`` returns, or its copy through JSON."""
    leaves = [tuple(leaf) for leaf in content["leaves"]]
    nodes = [tuple(zip(node[::2], node[1::2], strict=True)) for node in content["nodes"]]
    entries = tuple(
        Entry(
            arch=arch,
            full=full + len(leaves),
            body=body + len(leaves),
            num_classes=classes,
            size=(height, width),
            options=options,
            kin=kin,
            look=look,
            published=frozenset(published),
        )
        for arch, full, body, classes, height, width, options, kin, look, published in content[
            "entries"
        ]
    )
    forest = Forest(leaves, nodes)
    return Index(content["timm"], content["torchvision"], forest, entries)
