"""Solves for the image and patch size that a checkpoint's tensors were made for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from semaudit.models.architectures.fitting import Bindings
from semaudit.models.architectures.index import Entry
from semaudit.models.architectures.meta import TORCHVISION, built, shapes_of
from semaudit.models.architectures.tree import Shape, without_counters

LARGEST = 2048
"""No image size above this is solved for."""
STEPS = (32, 16, 8, 1)
"""Where several sizes give the same tensors, a multiple of the largest of these is meant."""


SLIMMEST = 4.0
"""No image whose sides differ by a larger factor is solved for."""
MOST_OTHERS = 3
"""How many further image sizes are mentioned."""

Observed = tuple[tuple[int, int, int], int]
"""The three numbers of a mark, and the dimension found in its place."""


@dataclass(frozen=True)
class Sizes:
    """The image size (height, width) and patch size; None where they are the defaults.

    Attributes:
        certain: whether the model surely has the tensors at these sizes.
        reshaped: whether the image is not as square as the default.
        others: further image sizes that the tensors fit as well.
    """

    image: tuple[int, int] | None = None
    patch: int | None = None
    certain: bool = True
    reshaped: bool = False
    others: tuple[tuple[int, int], ...] = ()

    @property
    def tier(self) -> int:
        """How far from the defaults; a picture of another form is the farthest."""
        return (self.image is not None) + 2 * (self.patch is not None) + 4 * self.reshaped


def solved(entry: Entry, bindings: Bindings) -> list[Sizes]:
    """Return the sizes that the bindings allow: one as a rule, none where they contradict.

    Those that are not ``certain`` fit but for rounding: build the model to see.
    """
    patches = {(int(mark[1:]), dim) for mark, dim in bindings if mark[0] == "p"}
    observed = [(_numbers(mark), dim) for mark, dim in bindings if mark[0] == "s"]
    windows = [(_numbers(mark), dim) for mark, dim in bindings if mark[0] == "w"]
    if any(dim != numbers[0] for numbers, dim in windows):
        return windowed(entry, windows)
    if len(patches) > 1:
        return []
    default, patch = next(iter(patches), (1, 1))
    other = patch if patch != default else None
    if all(dim == samples[0] for samples, dim in observed) and other is None:
        return [Sizes()]
    if not observed:
        return [Sizes(None, other)]
    samples, dim = max(observed, key=lambda seen: seen[0][1] - seen[0][0])
    found = list[Sizes]()
    for height in _heights(_scale(samples, dim) * entry.size[0] * patch / default):
        scale = height / entry.size[0]
        image = height, round(entry.size[1] * scale)
        grid = scale * default / patch
        exact = all(_at(samples, grid) == dim for samples, dim in observed)
        sizes = Sizes(image if image != entry.size else None, other, exact and other is None)
        if exact:
            return [sizes]
        found.append(sizes)
    # Grids of patches do not round: no square was exact, so it is not square.
    return oblong(entry, observed, default, patch) if patches else found


def oblong(entry: Entry, observed: list[Observed], default: int, patch: int) -> list[Sizes]:
    """Return the size that is not as square as the default: tensors hold the grid's area only.

    The others are mentioned in it, since nothing tells them apart: the nearest to a square comes
    first, and of those, the wider one.

    Args:
        observed: the samples and the dimension of each tensor that shows the grid.
        default: the architecture's own patch size.
        patch: the one that the tensors have.
    """
    down, across = (side // default for side in entry.size)
    samples, dim = max(observed, key=lambda seen: seen[0][1] - seen[0][0])
    square, linear, constant = _curve(samples)
    grids = list[tuple[int, int]]()
    for rows in range(1, LARGEST // patch + 1):
        tall = rows / down
        if not (slope := square * tall + linear / 2):
            continue
        columns = round((dim - constant - linear * tall / 2) / slope * across)
        fits = 0 < columns * patch <= LARGEST and 1 / SLIMMEST <= rows / columns <= SLIMMEST
        if fits and all(_over(seen, tall, columns / across) == one for seen, one in observed):
            grids.append((rows, columns))
    grids.sort(key=lambda grid: (max(grid) / min(grid), grid[0] > grid[1]))
    if not grids:
        return []
    image, *others = [(rows * patch, columns * patch) for rows, columns in grids]
    other = patch if patch != default else None
    return [Sizes(image, other, False, reshaped=True, others=tuple(others[:MOST_OTHERS]))]


def windowed(entry: Entry, windows: list[Observed]) -> list[Sizes]:
    """Return the size at which Swin's windows are as large as the smaller maps they lie in."""
    seen = [(_window(dim), side) for (full, _, side), dim in windows if dim != full]
    window, side = max(seen)
    for (_, most, whole), dim in windows:
        if _window(dim) != min(most, whole * window // side):
            return []
    image = round(entry.size[0] * window / side), round(entry.size[1] * window / side)
    return [Sizes(image, certain=False)] if image != entry.size else []


def _window(dim: int) -> float:
    """The side of a window with so many relative positions."""
    return (math.sqrt(dim) + 1) / 2


def confirmed(
    entry: Entry, sizes: Sizes, num_classes: int, in_chans: int, shapes: list[Shape]
) -> bool:
    """Build the model with these sizes, and compare its tensors' shapes with those given."""
    arguments: dict[str, object] = {"num_classes": num_classes, **entry.options}
    name = "image_size" if entry.arch.startswith(TORCHVISION) else "img_size"
    if sizes.image is not None:
        arguments[name] = plain(sizes.image)
    if sizes.patch is not None:
        arguments["patch_size"] = sizes.patch
    if not entry.arch.startswith(TORCHVISION):
        arguments["in_chans"] = in_chans
    try:
        found = shapes_of(built(entry.arch, **arguments))
    except Exception:  # the library says in its own way that it cannot be built so
        return False
    return sorted(without_counters(found).values()) == sorted(shapes)


def plain(size: tuple[int, int]) -> int | tuple[int, int]:
    """Return a square's side, or height and width."""
    return size[0] if size[0] == size[1] else size


def _numbers(mark: str) -> tuple[int, int, int]:
    one, two, three = mark[1:].split("/")
    return int(one), int(two), int(three)


def _curve(samples: tuple[int, int, int]) -> tuple[float, float, float]:
    """The coefficients of the parabola through the samples at 1, 2 and 3."""
    one, two, three = samples
    square = (three - 2 * two + one) / 2
    linear = two - one - 3 * square
    return square, linear, one - square - linear


def _at(samples: tuple[int, int, int], scale: float) -> float:
    square, linear, constant = _curve(samples)
    return round(square * scale * scale + linear * scale + constant, 4)


def _over(samples: tuple[int, int, int], tall: float, wide: float) -> float:
    """`_at`, for an image that is not as square as the default."""
    square, linear, constant = _curve(samples)
    return round(square * tall * wide + linear * (tall + wide) / 2 + constant, 4)


def _scale(samples: tuple[int, int, int], dim: int) -> float:
    """Return by how much the image is larger than the default where the curve reaches ``dim``."""
    square, linear, constant = _curve(samples)
    if square == 0:
        return (dim - constant) / linear
    root = max(0.0, linear * linear - 4 * square * (constant - dim))
    return float((root**0.5 - linear) / (2 * square))


def _heights(height: float) -> Iterator[int]:
    seen = set[int]()
    for step in STEPS:
        below = int(height // step) * step
        nearest_first = sorted((below, below + step), key=lambda side: abs(side - height))
        for side in nearest_first:
            if 0 < side <= LARGEST and side not in seen:
                seen.add(side)
                yield side
