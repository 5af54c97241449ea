"""Tells an architecture by the names and shapes of its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version

from semaudit.models.architectures.finders import Finder, Fit, NameFinder, OrderFinder
from semaudit.models.architectures.index import Entry, Index, load
from semaudit.models.architectures.meta import TORCHVISION
from semaudit.models.architectures.sizes import Sizes, confirmed, plain, solved
from semaudit.models.architectures.tree import Shape, without_counters

BY_NAME, BY_ORDER = "names and shapes", "order and shapes"
MOST_TENSORS = 10_000
"""No architecture has as many."""
BUILDS = 6
"""How many candidates are built at most to confirm the size that was solved for."""


@dataclass(frozen=True)
class Recognised:
    """An architecture that has the given tensors, built with these arguments.

    Attributes:
        arch: timm's name, or torchvision's after ``torchvision:``.
        num_classes: 0 where the tensors hold no head.
        in_chans: the channels of the pictures.
        img_size: the side, or height and width, where another than the default.
        patch_size: where another than the default.
        how: by ``names and shapes``, or by ``order and shapes`` where the names are others.
        renames: each given name of a replaced head and the architecture's name for it.
        options: further arguments that torchvision's constructor needs.
        also: timm's other names for the same module and preprocessing, which differ in no more
            than the image size by default.
    """

    arch: str
    num_classes: int
    in_chans: int
    img_size: int | tuple[int, int] | None = None
    patch_size: int | None = None
    how: str = BY_NAME
    renames: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    also: tuple[str, ...] = ()


def recognise(shapes: Mapping[str, Shape], arch: str | None = None) -> list[Recognised]:
    """List the architectures that have these tensors, best first; none when there is none.

    Args:
        shapes: each tensor's name, without wrapping prefixes, and shape, in the file's order.
        arch: the one to compare with; all that are installed when None.

    Those of timm that match by name come before torchvision's, and these before any that match
    by order alone. Of those that match, only those nearest to their default sizes are listed.
    """
    given = without_counters(shapes)
    if not 0 < len(given) <= MOST_TENSORS:
        return []
    index = load()
    ours, theirs = available(index)
    if arch is not None:
        ours, theirs = [entry for entry in (*ours, *theirs) if entry.arch == arch], []
    finders: list[tuple[Callable[[Index, Mapping[str, Shape]], Finder], str]]
    finders = [(NameFinder, BY_NAME), (OrderFinder, BY_ORDER)]
    for make, how in finders:
        finder = make(index, given)
        for entries in (ours, theirs):
            if found := _sized([fit for e in entries if (fit := finder.fit(e))], given, how):
                return found
    return []


@cache
def available(index: Index) -> tuple[list[Entry], list[Entry]]:
    """Return the index's entries that the installed timm and torchvision have."""
    theirs = [entry for entry in index.entries if entry.arch.startswith(TORCHVISION)]
    ours = [entry for entry in index.entries if not entry.arch.startswith(TORCHVISION)]
    # Those that the index was made from have all of them; importing them takes seconds.
    if version("timm") != index.timm:
        import timm

        ours = [entry for entry in ours if timm.is_model(entry.arch)]
    if version("torchvision") != index.torchvision:
        from torchvision.models import list_models

        known = {TORCHVISION + name for name in list_models()}
        theirs = [entry for entry in theirs if entry.arch in known]
    return ours, theirs


def _sized(fits: list[Fit], given: Mapping[str, Shape], how: str) -> list[Recognised]:
    """Solve for each fit's sizes, and keep those that are nearest to the defaults."""
    options = [(fit, sizes) for fit in fits for sizes in solved(fit.entry, fit.bindings)]
    options.sort(key=_distance)
    tier = _Tier(list(given.values()))
    found: dict[str, Recognised] = {}
    kin: dict[int, str] = {}
    for fit, sizes in options:
        entry = fit.entry
        if entry.arch in found or not tier.admits(fit, sizes):
            continue
        if entry.kin in kin:
            first = found[kin[entry.kin]]
            if entry.arch not in first.also:
                found[first.arch] = replace(first, also=(*first.also, entry.arch))
            continue
        found[entry.arch] = _recognised(fit, sizes, how)
        if entry.kin >= 0:
            kin[entry.kin] = entry.arch
    return list(found.values())


class _Tier:
    """Admits the first options that hold, and later ones that are as near to the defaults."""

    def __init__(self, shapes: list[Shape]) -> None:
        self._shapes = shapes
        self._tier: int | None = None
        self._builds = 0
        self._trusted = load().timm == version("timm")  # another may have changed some

    def admits(self, fit: Fit, sizes: Sizes) -> bool:
        if self._tier not in (None, sizes.tier):
            return False
        trusted = self._trusted or fit.entry.arch.startswith(TORCHVISION)
        if not (sizes.certain and trusted):
            self._builds += 1
            if self._builds > BUILDS or not confirmed(
                fit.entry, sizes, _classes(fit), _channels(fit), self._shapes
            ):
                return False
        self._tier = sizes.tier
        return True


def _distance(option: tuple[Fit, Sizes]) -> tuple[int, float, bool, bool, str]:
    """How far an option is from its architecture's defaults."""
    fit, sizes = option
    entry = fit.entry
    enlarged = abs(math.log(sizes.image[0] / entry.size[0])) if sizes.image else 0.0
    other_head = fit.has_head != bool(entry.num_classes)
    return sizes.tier, enlarged, other_head, _classes(fit) != entry.num_classes, entry.arch


def _recognised(fit: Fit, sizes: Sizes, how: str) -> Recognised:
    return Recognised(
        arch=fit.entry.arch,
        num_classes=_classes(fit),
        in_chans=_channels(fit),
        img_size=plain(sizes.image) if sizes.image else None,
        patch_size=sizes.patch,
        how=how,
        renames=fit.renames,
        options=fit.entry.options,
    )


def _classes(fit: Fit) -> int:
    return next(_values(fit, "c"), 0)


def _channels(fit: Fit) -> int:
    return next(_values(fit, "i"), 3)


def _values(fit: Fit, mark: str) -> Iterator[int]:
    return (number for name, number in fit.bindings if name == mark)
