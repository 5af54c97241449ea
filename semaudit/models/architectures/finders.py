"""Finds the entries of the index that hold a checkpoint's tensors: by name, else by order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from semaudit.models.architectures.fitting import (
    Bindings,
    Fitting,
    consistent,
    in_order,
    leaf_bindings,
)
from semaudit.models.architectures.index import Entry, Index
from semaudit.models.architectures.tree import Leaf, Shape
from semaudit.models.keys import ROLES

LARGEST_HEAD = 32
"""A classifier's head, replaced or not, has fewer tensors."""


@dataclass(frozen=True)
class Fit:
    """An entry that fits but for the question which sizes it was built with."""

    entry: Entry
    bindings: Bindings
    has_head: bool
    renames: Mapping[str, str] = field(default_factory=dict)


class Finder:
    """Fits one checkpoint to one entry after the other."""

    def __init__(self, index: Index, given: Mapping[str, Shape]) -> None:
        self.forest = index.forest
        self.given = given

    def fit(self, entry: Entry) -> Fit | None:
        """Fit the checkpoint's tensors to one entry; None where they do not fit."""
        raise NotImplementedError


class NameFinder(Finder):
    """Fits by name; a head may be missing, or replaced by another that ends in one linear layer."""

    def __init__(self, index: Index, given: Mapping[str, Shape]) -> None:
        super().__init__(index, given)
        self._fitting = Fitting(index.forest, given)

    def fit(self, entry: Entry) -> Fit | None:
        """Fit the body, and then what is left over to the head."""
        surplus = len(self.given) - self.forest.counts[entry.body]
        if not 0 <= surplus <= LARGEST_HEAD:
            return None
        bindings = self._fitting.bindings(entry.body)
        if bindings is None:
            return None
        if not surplus:
            return Fit(entry, bindings, has_head=False)
        body = self.forest.flat(entry.body)
        head = {n: leaf for n, leaf in self.forest.flat(entry.full).items() if n not in body}
        rest = {name: shape for name, shape in self.given.items() if name not in body}
        renames = {} if head.keys() == rest.keys() else replaced_head(head, rest)
        if renames is None:
            return None
        named = {renames.get(name, name): shape for name, shape in rest.items()}
        found = in_order([head[name] for name in named], list(named.values()))
        if found is None or not consistent(bindings | found):
            return None
        return Fit(entry, bindings | found, has_head=True, renames=renames)


class OrderFinder(Finder):
    """Fits tensor after tensor, whatever the names; only what they stand for must agree."""

    def __init__(self, index: Index, given: Mapping[str, Shape]) -> None:
        super().__init__(index, given)
        self._shapes = list(given.values())

    def fit(self, entry: Entry) -> Fit | None:
        """Fit with the head, or without it."""
        for root, has_head in ((entry.full, True), (entry.body, False)):
            if len(self.given) != self.forest.counts[root]:
                continue
            leaves = self.forest.flat(root)
            bindings = in_order(list(leaves.values()), self._shapes)
            if bindings is not None and all(map(_same_role, self.given, leaves)):
                return Fit(entry, bindings, has_head and entry.full != entry.body)
        return None


def replaced_head(head: Mapping[str, Leaf], rest: Mapping[str, Shape]) -> dict[str, str] | None:
    """Rename the one linear layer that stands in place of the architecture's one.

    Returns:
        Each given name and the architecture's; None where it is not one layer for one.
    """
    if len(head) != 2 or len(rest) != 2:
        return None
    ours, theirs = _by_role(head), _by_role(rest)
    if ours.keys() != theirs.keys() or ours.keys() != {"weight", "bias"}:
        return None
    if any(leaf_bindings(head[ours[role]], rest[theirs[role]]) is None for role in ours):
        return None
    return {theirs[role]: ours[role] for role in ours}


def _by_role(names: Iterable[str]) -> dict[str, str]:
    return {name.rpartition(".")[2]: name for name in names}


def _same_role(theirs: str, ours: str) -> bool:
    roles = {theirs.rpartition(".")[2], ours.rpartition(".")[2]}
    return len(roles) == 1 or not roles <= ROLES
