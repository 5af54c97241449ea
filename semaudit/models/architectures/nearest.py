"""Names the architectures that come nearest to tensors that none has, and what differs."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semaudit.models.architectures.fitting import Fitting, leaf_bindings
from semaudit.models.architectures.index import Entry, Index, load
from semaudit.models.architectures.recognise import MOST_TENSORS, available
from semaudit.models.architectures.tree import Leaf, Shape, without_counters

BY_NAME_ENOUGH = 0.2
"""With a smaller share of fitting names, the names are another library's: shapes are compared."""
SHOWN = 3
LONGEST = 80


@dataclass(frozen=True)
class Near:
    """An architecture that comes near.

    Attributes:
        share: the part of the tensors that fit, of the larger of the two sets, in [0, 1].
        words: what differs.
    """

    arch: str
    share: float
    words: str


def nearest(shapes: Mapping[str, Shape], count: int = 3) -> list[Near]:
    """Name the ``count`` architectures with the most fitting tensors, the nearest first."""
    given = without_counters(shapes)
    if not 0 < len(given) <= MOST_TENSORS:
        return []
    index = load()
    fitting = Fitting(index.forest, given)
    distinct = {entry.full: entry for group in available(index)[::-1] for entry in group[::-1]}
    entries = list(distinct.values())
    shares = [_share(index, e, fitting.fitting(e.full), len(given)) for e in entries]
    by_name = max(shares) >= BY_NAME_ENOUGH
    if not by_name:
        held = _alike(index, given)
        shares = [_share(index, e, _common(index, e, held), len(given)) for e in entries]
    best = heapq.nlargest(count, zip(shares, entries, strict=True), key=lambda pair: pair[0])
    return [
        Near(e.arch, share, _words(index, e, given) if by_name else _shape_words(index, e, given))
        for share, e in best
        if share > 0
    ]


def _share(index: Index, entry: Entry, fitting: int, given: int) -> float:
    return fitting / max(given, index.forest.counts[entry.full])


def _alike(index: Index, given: Mapping[str, Shape]) -> dict[int, int]:
    """For each leaf of the index, the number of given tensors of its shape."""
    held = Counter(given.values())
    return {n: held[shape] for n, leaf in enumerate(index.forest.leaves) if (shape := usual(leaf))}


def _common(index: Index, entry: Entry, held: Mapping[int, int]) -> int:
    contents = index.forest.contents[entry.full]
    return sum(min(number, held.get(leaf, 0)) for leaf, number in contents.items())


def _words(index: Index, entry: Entry, given: Mapping[str, Shape]) -> str:
    wanted = index.forest.flat(entry.full)
    body = index.forest.flat(entry.body)
    missing = [f"{n} {shown(leaf)} is missing" for n, leaf in wanted.items() if n not in given]
    misshapen = [
        f"{_short(name)} is {given[name]} instead of {shown(leaf)}"
        for name, leaf in wanted.items()
        if name in given and leaf_bindings(leaf, given[name]) is None
    ]
    foreign = [f"{_short(n)} {shape} is not in it" for n, shape in given.items() if n not in wanted]
    differing = misshapen + missing + foreign
    rest = {name: shape for name, shape in given.items() if name not in body}
    if len(given) - len(rest) == len(body) and not any(name in body for name in differing):
        head = {name: leaf for name, leaf in wanted.items() if name not in body}
        if not _misfits(body, given):
            return _head_words(head, rest)
    if not differing:
        return (
            "every tensor fits for itself, but not together: they imply different numbers of "
            "classes or channels, or sizes of pictures and patches that it cannot be built with"
        )
    return f"{len(differing)} of {len(given)} tensors differ: {_first(differing)}"


def _misfits(body: Mapping[str, Leaf], given: Mapping[str, Shape]) -> bool:
    return any(leaf_bindings(leaf, given[name]) is None for name, leaf in body.items())


def _head_words(head: Mapping[str, Leaf], rest: Mapping[str, Shape]) -> str:
    """Why a head that is not the architecture's cannot be put in its place."""
    layers = sum(len(shape) == 2 for shape in rest.values())
    theirs = _first([f"{_short(name)} {shape}" for name, shape in rest.items()], 4)
    ours = ", ".join(f"{name} {shown(leaf)}" for name, leaf in head.items()) or "no head"
    return (
        f"only the head differs: it holds {layers} linear layers ({theirs}) in place of {ours}; "
        "one linear layer with a bias would be taken. Pass a factory that builds this head"
    )


def _shape_words(index: Index, entry: Entry, given: Mapping[str, Shape]) -> str:
    wanted = list(index.forest.flat(entry.full).items())
    pairs = zip(wanted, given.items(), strict=False)
    for number, ((ours, leaf), (theirs, shape)) in enumerate(pairs, start=1):
        if leaf_bindings(leaf, shape) is None:
            return (
                f"the names are others, and in order they part at tensor {number}: "
                f"{_short(theirs)} {shape} for {ours} {shown(leaf)}"
            )
    return (
        f"the names are others, and there are {len(given)} tensors instead of {len(wanted)}"
        if len(given) != len(wanted)
        else "the names are others, and the shapes agree in order but not what they stand for"
    )


def usual(leaf: Leaf) -> Shape | None:
    """Return a leaf's shape by default; None where it depends on the class count."""
    if "c" in leaf:
        return None
    return tuple(
        dim
        if isinstance(dim, int)
        else 3 * int(dim[1:])
        if dim[0] == "i"
        else int(dim[1:].partition("/")[0])
        for dim in leaf
    )


def shown(leaf: Leaf) -> str:
    """Return a leaf's shape in words: ``(classes, 2048)``."""
    plain = ("classes" if dim == "c" else (usual((dim,)) or (0,))[0] for dim in leaf)
    return f"({', '.join(map(str, plain))})"


def _first(parts: Sequence[str], count: int = SHOWN) -> str:
    return "; ".join(parts[:count]) + ("; …" if len(parts) > count else "")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[:LONGEST] + "…"
