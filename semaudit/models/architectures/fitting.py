"""Fits a checkpoint's tensors to trees of the index, and collects what the marks stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from semaudit.models.architectures.tree import Forest, Leaf, Shape

Binding = tuple[str, int]
"""A mark, and the number found in its place."""

Bindings = frozenset[Binding]
Place: TypeAlias = "Shape | dict[str, Place]"

NOTHING: Bindings = frozenset()
LARGEST = 2**31
"""No dimension that a mark stands for is larger."""
DEEPEST = 40
"""No architecture nests deeper; a name with more dots is kept whole."""


def folded(shapes: Mapping[str, Shape]) -> dict[str, Place]:
    """Fold names into a tree at their dots; a name below a tensor is kept whole."""
    root: dict[str, Place] = {}
    for name, shape in shapes.items():
        path = name.split(".", DEEPEST + 1)
        if len(path) > DEEPEST or not _placed(root, path, shape):
            root[name] = shape
    return root


def _placed(root: dict[str, Place], path: list[str], shape: Shape) -> bool:
    place = root
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            return False
        place = inner
    if path[-1] in place:
        return False
    place[path[-1]] = shape
    return True


def leaf_bindings(leaf: Leaf, shape: Shape) -> Bindings | None:
    """Return what a leaf's marks stand for in a shape; None where the shape does not fit."""
    if leaf == shape:
        return NOTHING
    if len(leaf) != len(shape):
        return None
    found = set[Binding]()
    for mark, dim in zip(leaf, shape, strict=True):
        if isinstance(mark, int):
            if mark != dim:
                return None
        elif not 0 < dim < LARGEST:
            return None
        elif mark[0] == "i":
            if dim % int(mark[1:]):
                return None
            found.add(("i", dim // int(mark[1:])))
        else:
            found.add((mark, dim))
    return frozenset(found)


def consistent(bindings: Bindings) -> bool:
    """Whether each mark stands for one number only."""
    return len({mark for mark, _ in bindings}) == len(bindings)


class Fitting:
    """One checkpoint's tensors against any number of trees, each subtree pair compared once."""

    def __init__(self, forest: Forest, shapes: Mapping[str, Shape]) -> None:
        self._forest = forest
        self._root = folded(shapes)
        self._known: dict[tuple[int, int], Bindings | None] = {}
        self._shares: dict[tuple[int, int], int] = {}

    def bindings(self, reference: int) -> Bindings | None:
        """Return the marks' values when every tensor of the tree is there; others may be too."""
        return self._bindings(reference, self._root)

    def fitting(self, reference: int) -> int:
        """Count the tensors of the tree that are there, with a shape that fits."""
        return self._count(reference, self._root)

    def _bindings(self, reference: int, place: Place) -> Bindings | None:
        children = self._forest.children(reference)
        if children is None:
            if isinstance(place, dict):
                return None
            return leaf_bindings(self._forest.leaves[reference], place)
        key = reference, id(place)
        if key not in self._known:
            self._known[key] = self._of_children(children, place)
        return self._known[key]

    def _of_children(self, children: tuple[tuple[str, int], ...], place: Place) -> Bindings | None:
        if not isinstance(place, dict) or not all(name in place for name, _ in children):
            return None
        total = set[Binding]()
        for name, child in children:
            found = self._bindings(child, place[name])
            if found is None:
                return None
            total |= found
        bindings = frozenset(total)
        return bindings if consistent(bindings) else None

    def _count(self, reference: int, place: Place | None) -> int:
        children = self._forest.children(reference)
        if children is None:
            if place is None or isinstance(place, dict):
                return 0
            return leaf_bindings(self._forest.leaves[reference], place) is not None
        if not isinstance(place, dict):
            return 0
        key = reference, id(place)
        if key not in self._shares:
            self._shares[key] = sum(self._count(child, place.get(n)) for n, child in children)
        return self._shares[key]


def in_order(leaves: list[Leaf], shapes: list[Shape]) -> Bindings | None:
    """Fit shapes to as many leaves one by one."""
    total = set[Binding]()
    for leaf, shape in zip(leaves, shapes, strict=True):
        found = leaf_bindings(leaf, shape)
        if found is None:
            return None
        total |= found
    bindings = frozenset(total)
    return bindings if consistent(bindings) else None
