"""Marks the dimensions of a model's tensors that depend on how it was built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from semaudit.models.architectures.meta import built, shapes_of
from semaudit.models.architectures.tree import Leaf, Shape

CLASSES = 1009  # a prime that is the width of nothing
CHANNELS = 5
_TABLE = ".attn.relative_position_bias_table"


def channels_marked(shape: Shape, other: Shape, channels: int) -> Leaf:
    """Mark what changed when a model for ``channels`` was built for `CHANNELS`."""
    return tuple(
        dim if dim == changed else f"i{_ratio(dim, changed, channels)}"
        for dim, changed in zip(shape, other, strict=True)
    )


def _ratio(dim: int, changed: int, channels: int) -> int:
    if dim % channels or dim // channels * CHANNELS != changed:
        raise ValueError(f"{dim} became {changed} with {CHANNELS} channels for {channels}")
    return dim // channels


def resized(arch: str, size: list[int], times: int) -> dict[str, Shape]:
    """Return the shapes at a multiple of the image size; none where it takes no image size."""
    height, width = (times * side for side in size)
    wanted = height if height == width else (height, width)
    try:
        return shapes_of(built(arch, num_classes=CLASSES, img_size=wanted))
    except TypeError:  # it takes no image size
        return {}


def mark_sizes(
    leaves: dict[str, Leaf], shapes: Mapping[str, Shape], sizes: list[dict[str, Shape]]
) -> None:
    """Mark what changes when the image is twice and three times as large."""
    for name, shape in shapes.items():
        if all(name in larger for larger in sizes):
            twice, thrice = (larger[name] for larger in sizes)
            leaves[name] = tuple(
                mark if one == two else f"s{one}/{two}/{three}"
                for mark, one, two, three in zip(leaves[name], shape, twice, thrice, strict=True)
            )


def mark_patches(leaves: dict[str, Leaf], shapes: Mapping[str, Shape], arch: str) -> None:
    """Mark the patch size where it shows in kernels, and elsewhere only through the grid."""
    marks, defaults = dict[str, Leaf](), set[int]()
    for patch in (8, 16):  # one of them is another than the default
        try:
            other = shapes_of(built(arch, num_classes=CLASSES, patch_size=patch))
        except Exception:  # it takes no patch size, or not this one
            continue
        for name, shape in shapes.items():
            if name not in other or len(other[name]) != len(shape):
                return
            leaf = list(leaves[name])
            for place, (dim, changed) in enumerate(zip(shape, other[name], strict=True)):
                if dim == changed or str(leaf[place]).startswith("s"):
                    continue
                if changed != patch or len(shape) != 4:
                    return
                leaf[place] = f"p{dim}"
                defaults.add(dim)
                marks[name] = tuple(leaf)
        if marks:
            break
    if len(defaults) == 1:
        leaves.update(marks)


def mark_windows(leaves: dict[str, Leaf], module: nn.Module) -> None:
    """Mark Swin's tables, whose windows shrink with maps that are smaller than they."""
    for name, leaf in leaves.items():
        if not name.endswith(_TABLE):
            continue
        block: Any = module.get_submodule(name.removesuffix(_TABLE))
        if hasattr(block, "input_resolution"):  # others have tables of another kind
            window, side = block.window_size[0], block.input_resolution[0]
            leaves[name] = (f"w{leaf[0]}/{window}/{side}", *leaf[1:])
