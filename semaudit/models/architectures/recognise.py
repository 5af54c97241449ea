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
MOST_RESIZED = 4
"""No architecture at another size than its own makes a list longer than this."""

Option = tuple[Fit, Sizes]


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
            than the image size by default; at a size that is none's default, crop and
            interpolation may differ too.
        other_sizes: further heights and widths that give the same tensors as ``img_size`` does.
        resized: other classifiers that have these tensors at a smaller picture size than their own.
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
    other_sizes: tuple[tuple[int, int], ...] = ()
    resized: tuple[str, ...] = ()


def recognise(shapes: Mapping[str, Shape], arch: str | None = None) -> list[Recognised]:
    """List the architectures that have these tensors, best first; none when there is none.

    Args:
        shapes: each tensor's name, without wrapping prefixes, and shape, in the file's order.
        arch: the one to compare with; all that are installed when None.

    Those of timm that match by name come before torchvision's, and these before any that match
    by order alone. Of those that match, those nearest to their default sizes are listed, and after
    them what is another classifier, enlarged to this picture size.
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
    door = _Door(list(given.values()))
    found: dict[str, Recognised] = {}
    names: dict[int, str] = {}
    looks = set[int]()
    for fit, sizes in options:
        entry = fit.entry
        if entry.arch in found or not door.admits(fit, sizes):
            continue
        looks.add(entry.look)
        # At a size that is neither's own, crop and interpolation are nobody's.
        same = entry.look if sizes.image else entry.kin
        if same in names:
            first = found[names[same]]
            if entry.arch not in first.also:
                found[first.arch] = replace(first, also=(*first.also, entry.arch))
            continue
        found[entry.arch] = _recognised(fit, sizes, how)
        if same >= 0:
            names[same] = entry.arch
    if door.tier != 0:
        return list(found.values())
    return _with_resized(list(found.values()), _resized(options, looks), door, how)


def _resized(options: list[Option], looks: set[int]) -> list[Option]:
    """What has the tensors at another picture size, and is another classifier than any at its own.

    A DeiT at 384 pixels has the tensors of the ViT whose own size that is, and another mean: to
    take it for that ViT alone would be wrong and look certain. What differs in crop or
    interpolation only is left out: those go with the size, and every model that there is at two
    sizes would become ambiguous. So are another patch size, which weights are hardly ever carried
    over to, and what no weights are published of that one would resize.

    Args:
        options: the nearest to the defaults first.
        looks: of those at their own size.
    """
    found = dict[int, Option]()
    enlarged_first = sorted(options, key=lambda option: not _is_enlarged(option))
    for fit, sizes in enlarged_first:
        other = fit.entry.look >= 0 and fit.entry.look not in looks
        if sizes.tier == 1 and sizes.certain and other and fit.entry.published:
            found.setdefault(fit.entry.look, (fit, sizes))
    return list(found.values())


def _with_resized(
    found: list[Recognised], others: list[Option], door: _Door, how: str
) -> list[Recognised]:
    """Add what is enlarged, and only mention what is not: fine-tuning enlarges pictures.

    With both, fewer than 86 of 100 models of timm would be told by their tensors alone.
    """
    mentioned = list[str]()
    for fit, sizes in others:
        room = len(found) < MOST_RESIZED
        if room and _is_enlarged((fit, sizes)) and door.holds(fit, sizes):
            found.append(_recognised(fit, sizes, how))
        else:
            mentioned.append(fit.entry.arch)
    return [replace(each, resized=tuple(mentioned)) for each in found]


def _is_enlarged(option: Option) -> bool:
    fit, sizes = option
    return sizes.image is not None and sizes.image > fit.entry.size


class _Door:
    """Admits the first options that hold, and later ones that are as near to the defaults."""

    def __init__(self, shapes: list[Shape]) -> None:
        self.tier: int | None = None
        self._shapes = shapes
        self._builds = 0
        self._trusted = load().timm == version("timm")  # another may have changed some

    def admits(self, fit: Fit, sizes: Sizes) -> bool:
        if self.tier not in (None, sizes.tier) or not self.holds(fit, sizes):
            return False
        self.tier = sizes.tier
        return True

    def holds(self, fit: Fit, sizes: Sizes) -> bool:
        trusted = self._trusted or fit.entry.arch.startswith(TORCHVISION)
        if sizes.certain and trusted:
            return True
        self._builds += 1
        return self._builds <= BUILDS and confirmed(
            fit.entry, sizes, _classes(fit), _channels(fit), self._shapes
        )


def _distance(option: Option) -> tuple[int, float, bool, bool, bool, str]:
    """How far an option is from its architecture's defaults, and from what is published of it."""
    fit, sizes = option
    entry, classes = fit.entry, _classes(fit)
    height, width = sizes.image or entry.size
    enlarged = abs(math.log(height * width / math.prod(entry.size))) / 2
    other_head = fit.has_head != bool(entry.num_classes)
    unusual, foreign = classes not in entry.published, classes != entry.num_classes
    return sizes.tier, enlarged, other_head, unusual, foreign, entry.arch


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
        other_sizes=sizes.others,
    )


def _classes(fit: Fit) -> int:
    return next(_values(fit, "c"), 0)


def _channels(fit: Fit) -> int:
    return next(_values(fit, "i"), 3)


def _values(fit: Fit, mark: str) -> Iterator[int]:
    return (number for name, number in fit.bindings if name == mark)
