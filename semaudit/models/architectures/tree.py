"""State dicts' names and shapes as trees, in which equal subtrees are stored once.

A state dict lists its tensors depth first, so that its names fold into an ordered tree at their
dots. Blocks that repeat within an architecture, or in another one, are the same subtree: 1,400
architectures of 450 tensors need some tens of thousands of distinct nodes.

A dimension of a leaf is a number, or a mark where it depends on how the model was built:

    ``c``         the number of classes
    ``iR``        R times the number of input channels
    ``pN``        the patch size, N by default
    ``sA/B/C``    A at the default image size, B at twice and C at three times that size
    ``wA/W/M``    A for windows of W x W on a map of M x M, fewer where the map is smaller
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

Dim = int | str
Leaf = tuple[Dim, ...]
Shape = tuple[int, ...]
Children = tuple[tuple[str, int], ...]

COUNTER = "num_batches_tracked"


class Forest:
    """Leaves and nodes by number: a reference below ``len(leaves)`` is a leaf, else a node."""

    def __init__(self, leaves: Sequence[Leaf], nodes: Sequence[Children]) -> None:
        self.leaves = leaves
        self.nodes = nodes

    def children(self, reference: int) -> Children | None:
        """Return the named children of a node; None for a leaf."""
        number = reference - len(self.leaves)
        return self.nodes[number] if number >= 0 else None

    @cached_property
    def counts(self) -> list[int]:
        """The number of leaves below each reference."""
        counts = [1] * len(self.leaves)
        for node in self.nodes:  # children come before their parents
            counts.append(sum(counts[child] for _, child in node))
        return counts

    @cached_property
    def contents(self) -> list[Counter[int]]:
        """How often each leaf occurs below each reference."""
        contents = [Counter({number: 1}) for number in range(len(self.leaves))]
        for node in self.nodes:
            total: Counter[int] = Counter()
            for _, child in node:
                total.update(contents[child])
            contents.append(total)
        return contents

    def flat(self, reference: int, prefix: str = "") -> dict[str, Leaf]:
        """Return the leaves below a node by their full names, in order."""
        found: dict[str, Leaf] = {}
        for name, child in self.children(reference) or ():
            if self.children(child) is None:
                found[prefix + name] = self.leaves[child]
            else:
                found |= self.flat(child, f"{prefix}{name}.")
        return found


class Planter:
    """Grows a forest: each `plant` returns the reference of a state dict's root."""

    def __init__(self) -> None:
        self._leaves: dict[Leaf, int] = {}
        self._nodes: dict[tuple[tuple[str, tuple[str, int]], ...], int] = {}

    def plant(self, leaves: Mapping[str, Leaf]) -> int:
        """Store one architecture's leaves.

        Returns:
            The number of its root among the nodes; add ``len(leaves)`` for the reference.

        Raises:
            ValueError: the names do not lie depth first, so that a tree would lose their order.
        """
        root: dict[str, object] = {}
        for name, leaf in leaves.items():
            place = root
            *path, last = name.split(".")
            for part in path:
                inner = place.setdefault(part, {})
                if not isinstance(inner, dict):
                    raise ValueError(f"{name} lies below a tensor")
                place = inner
            place[last] = leaf
        if list(_names(root, "")) != list(leaves):
            raise ValueError("the tensors do not lie depth first")
        return self._store(root)[1]

    def tables(self) -> tuple[list[Leaf], list[list[str | int]]]:
        """Return the leaves, and each node as names and references in turn."""
        shift = {"leaf": 0, "node": len(self._leaves)}
        nodes = [
            [part for name, (kind, number) in node for part in (name, shift[kind] + number)]
            for node in self._nodes
        ]
        return list(self._leaves), nodes

    def _store(self, place: object) -> tuple[str, int]:
        if isinstance(place, dict):
            node = tuple((name, self._store(child)) for name, child in place.items())
            return "node", self._nodes.setdefault(node, len(self._nodes))
        assert isinstance(place, tuple)
        return "leaf", self._leaves.setdefault(place, len(self._leaves))


def without_counters(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Leave out BatchNorm's counters, which checkpoints may have lost."""
    return {name: shape for name, shape in shapes.items() if not name.endswith(COUNTER)}


def _names(place: Mapping[str, object], prefix: str) -> list[str]:
    names = list[str]()
    for name, child in place.items():
        if isinstance(child, dict):
            names += _names(child, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names
